"""The figures of a finished run."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from hypermnesia.evaluation import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    learning_accuracy,
    task_inference_accuracy,
)
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.problems import Metric


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run found; accuracies and what is made of them are fractions of 1, errors mean squared errors.

    Args:
        name: Of the experiment.
        seed: Of the run.
        directory: Where its files are.
        tasks: Names.
        metric: What the tasks were measured by: accuracy or error.
        matrix: Row = after task i, column = task j; NaN = not measured.
        scenario: What was known and asked.
        average: After the last task.
        averages: The same, by scenario: this one, and others if they were measured.
        task_inference_accuracy: How often the task was inferred correctly, averaged over tasks; None where none is.
        task_inference: Of each task's test inputs (row), how many were taken for which task (column).
        learning_average: Average of each task's right after it was learned.
        forgetting: How much worse tasks have become; None where not defined, as for the next two.
        backward_transfer: See `hypermnesia.evaluation.metrics`, which has the formulas.
        forward_transfer: Likewise.
        compression: Weights trained / weights of the target network.
        num_weights: Weights trained and kept, those of all tasks included.
        memory_bytes: What the learner kept for the next task, after each task.
        iterations: Optimizer steps of all tasks.
        learning_seconds: Spent learning, times before an interruption included.
        seconds: Spent learning and evaluating, times before an interruption included.
    """

    name: str
    seed: int
    directory: str
    tasks: list[str]
    metric: Metric
    matrix: Float64[np.ndarray, "tasks tasks"]
    scenario: str
    average: float
    averages: dict[str, float]
    task_inference_accuracy: float | None
    task_inference: list[list[int]] | None
    learning_average: float
    forgetting: float | None
    backward_transfer: float | None
    forward_transfer: float | None
    compression: float
    num_weights: int
    memory_bytes: list[int]
    iterations: int
    learning_seconds: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """JSON values, called after the metric; what was not measured or is not defined is None.

        `accuracy` (or `error`) is the matrix, `average_accuracy` what is left after the last task, `scenario_accuracy`
        that by scenario, and `learning_accuracy` what was reached right after each task.
        """
        metric = self.metric.name
        names = {
            "metric": "measure",
            "matrix": metric,
            "average": f"average_{metric}",
            "averages": f"scenario_{metric}",
            "learning_average": f"learning_{metric}",
        }
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["metric"] = metric
        values["matrix"] = [[None if np.isnan(value) else float(value) for value in row] for row in self.matrix]
        return {names.get(name, name): value for name, value in values.items()}


def summarize(
    experiment: Experiment,
    state: RunState,
    metric: Metric,
    *,
    directory: str,
    chance: Float64[np.ndarray, "tasks"],
    compression: float,
    num_weights: int,
) -> Summary:
    """The figures that follow from what a run has measured.

    Args:
        experiment: What was run.
        state: After the last task.
        metric: What it measured.
        directory: Of the run.
        chance: Accuracy of guessing, for each task.
        compression: Of the learner after the last task.
        num_weights: Likewise.
    """
    matrix = state.matrix()
    merit = metric.sign * matrix
    return Summary(
        name=experiment.name,
        seed=experiment.seed,
        directory=directory,
        tasks=state.tasks,
        metric=metric,
        matrix=matrix,
        scenario=experiment.scenario,
        average=average_accuracy(matrix),
        averages=state.averages,
        task_inference_accuracy=None if state.inferred is None else task_inference_accuracy(np.array(state.inferred)),
        task_inference=state.inferred,
        learning_average=learning_accuracy(matrix),
        forgetting=forgetting(merit),
        backward_transfer=backward_transfer(merit),
        forward_transfer=forward_transfer(merit, chance),
        compression=compression,
        num_weights=num_weights,
        memory_bytes=state.memory_bytes,
        iterations=sum(state.iterations),
        learning_seconds=sum(state.learning_seconds),
        seconds=sum(state.learning_seconds) + sum(state.evaluation_seconds),
    )


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
