"""The figures of a finished run."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor

from hypermnesia.criteria import Metric
from hypermnesia.errors import CheckpointError, shown
from hypermnesia.evaluation import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    learning_accuracy,
    task_inference_accuracy,
)
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.tasks.scenario import SCENARIOS
from hypermnesia.training.checkpoint import check_alike


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
        learning_seconds: Time that each task took to learn; the last entry may be that of a task still being learned.
        evaluation_seconds: Time that the evaluation after each finished task took.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {
        "arbitrary_types_allowed": True,
        "extra": "forbid",
        "allow_inf_nan": False,
    }

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
        """For a checkpoint: :meth:`of_dict` makes the same state of it."""
        return dataclasses.asdict(self)

    @classmethod
    def of_dict(cls, values: Any, tasks: list[str]) -> RunState:
        """The state that :meth:`as_dict` made values of.

        Args:
            values: What was read.
            tasks: Names of the tasks that the run has.

        Raises:
            CheckpointError: It is none, or that of a run of other tasks.
        """
        try:
            state = TypeAdapter(cls).validate_python(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise CheckpointError(f"{where}: {first['msg']}, not {shown(first['input'])}") from error
        check_alike(state.as_dict(), values)  # nothing was converted
        learned = {len(each) for each in (state.rows, state.memory_bytes, state.evaluation_seconds)}
        if state.tasks != tasks or learned != {len(state.rows)} or any(len(row) != len(tasks) for row in state.rows):
            raise CheckpointError("it is of a run with other tasks")
        return state


@dataclasses.dataclass(frozen=True)
class Summary:
    """Figures of a finished run; accuracies and what is made of them are fractions of 1, errors mean squared errors.

    Args:
        experiment: Experiment that was run.
        state: Measurements after the last task.
        metric: Metric of the tasks.
        directory: Run directory.
        chance: Accuracy of guessing, for each task.
        compression: Number of weights trained and kept, per weight of the target network.
        num_weights: Number of weights trained and kept, those of all tasks included.
    """

    experiment: Experiment
    state: RunState
    metric: Metric
    directory: str
    chance: Float64[np.ndarray, " tasks"]
    compression: float
    num_weights: int

    @property
    def matrix(self) -> Float64[np.ndarray, "tasks tasks"]:
        """Accuracies or errors: row = after task i, column = task j; NaN = not measured."""
        return self.state.matrix()

    @property
    def average(self) -> float:
        """Average over tasks after the last one."""
        return average_accuracy(self.matrix)

    @property
    def task_inference_accuracy(self) -> float | None:
        """Accuracy of task inference, averaged over tasks; None if none is inferred."""
        return None if self.state.inferred is None else task_inference_accuracy(np.array(self.state.inferred))

    @property
    def changes(self) -> dict[str, float | None]:
        """Metrics of what happened to tasks, by name; None where one is not defined."""
        merit = self.metric.sign * self.matrix
        return {
            "forgetting": forgetting(merit),
            "backward_transfer": backward_transfer(merit),
            "forward_transfer": forward_transfer(merit, self.chance),
        }

    @property
    def seconds(self) -> float:
        """Seconds spent learning and evaluating, times before an interruption included."""
        return sum(self.state.learning_seconds) + sum(self.state.evaluation_seconds)

    def as_dict(self) -> dict[str, Any]:
        """JSON values, called after the metric; what was not measured or is not defined is None.

        `accuracy` (or `error`) is the matrix, `average_accuracy` what is left after the last task, `scenario_accuracy`
        that by scenario, and `learning_accuracy` what was reached right after each task.
        """
        metric, state = self.metric.name, self.state
        return {
            "name": self.experiment.name,
            "seed": self.experiment.seed,
            "directory": self.directory,
            "tasks": state.tasks,
            "measure": metric,
            metric: state.rows,
            "scenario": self.experiment.scenario,
            f"average_{metric}": self.average,
            f"scenario_{metric}": {name: state.averages[name] for name in SCENARIOS if name in state.averages},
            "task_inference_accuracy": self.task_inference_accuracy,
            "task_inference": state.inferred,
            f"learning_{metric}": learning_accuracy(self.matrix),
            **self.changes,
            "compression": self.compression,
            "num_weights": self.num_weights,
            "memory_bytes": state.memory_bytes,
            "iterations": sum(state.iterations),
            "learning_seconds": sum(state.learning_seconds),
            "seconds": self.seconds,
        }
