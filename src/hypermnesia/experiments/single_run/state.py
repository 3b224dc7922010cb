"""How far a run is and what it has measured: all of it that is not the learner."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float64
from torch import Tensor


@dataclasses.dataclass
class RunState:
    """Measurements of a run so far; consists of JSON values and tensors.

    Args:
        tasks: Names of all tasks, learned or not.
        rows: Test accuracy in [0, 1] (or error) on each task, after each learned and evaluated task; None = not
            measured.
        inferred: After the newest task, for each task so far how many of its test inputs were taken for which one; None
            where no task is inferred.
        early_replay: Inputs of each task as the learner remembered them right after it, not permuted; empty if it
            replays none.
        averages: Average accuracy (or error) after the last task, by scenario.
        memory_bytes: What the learner kept after each finished task.
        iterations: Optimizer steps of each finished task.
        learning_seconds: Of each task; the last entry may be that of a task still being learned.
        evaluation_seconds: Of each finished task.
    """

    tasks: list[str]
    rows: list[list[float | None]] = dataclasses.field(default_factory=list)
    inferred: list[list[int]] | None = None
    early_replay: list[Tensor] = dataclasses.field(default_factory=list)
    averages: dict[str, float] = dataclasses.field(default_factory=dict)
    memory_bytes: list[int] = dataclasses.field(default_factory=list)
    iterations: list[int] = dataclasses.field(default_factory=list)
    learning_seconds: list[float] = dataclasses.field(default_factory=list)
    evaluation_seconds: list[float] = dataclasses.field(default_factory=list)

    def matrix(self) -> Float64[np.ndarray, "learned tasks"]:
        """The accuracy matrix; NaN where not measured."""
        return np.array(self.rows, dtype=np.float64).reshape(len(self.rows), len(self.tasks))

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint: `RunState(**state.as_dict())` is the same state."""
        return dataclasses.asdict(self)
