"""Methods side by side on one sequence of tasks: which runs that takes, and collecting what they found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation import statistics
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.many_runs.methods import Base, Method
from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun, check
from hypermnesia.problems import ACCURACY, Metric

# What the comparison reads of a run's summary, besides what the run measured.
_FIGURES = ("forgetting", "iterations", "learning_seconds", "memory_bytes", "num_weights")


@dataclasses.dataclass(frozen=True)
class MethodFigures:
    """What the runs of one method found.

    Args:
        method: Which.
        preset: Preset or file that it was run from.
        settings: All that differed from that.
        tuned: Whether its settings were chosen for these tasks: they are those of a preset, or there are none.
        summaries: Of its finished runs, one for each seed.
        metric: What the runs measured.
    """

    method: Method
    preset: str
    settings: tuple[str, ...]
    tuned: bool
    summaries: tuple[Mapping[str, Any], ...]
    metric: Metric = ACCURACY

    @property
    def average(self) -> Spread | None:
        """Average accuracy after the last task, in percent, or error; None if no run finished, as for all others."""
        metric = self.metric
        return statistics.spread([metric.factor * summary[f"average_{metric.name}"] for summary in self.summaries])

    @property
    def forgetting(self) -> Spread | None:
        """How far tasks have fallen from their best, in percentage points for accuracy; None for a single task too."""
        return statistics.spread(
            [self.metric.factor * s["forgetting"] for s in self.summaries if s["forgetting"] is not None]
        )

    @property
    def milliseconds(self) -> float | None:
        """Of learning, for each optimizer step; what a method does at the end of a task counts too."""
        return statistics.mean([1000 * s["learning_seconds"] / s["iterations"] for s in self.summaries])

    @property
    def memory(self) -> float | None:
        """Bytes that are kept after the last task."""
        return statistics.mean([float(s["memory_bytes"][-1]) for s in self.summaries if s["memory_bytes"]])

    @property
    def memory_per_task(self) -> float | None:
        """Bytes by which that grows with each further task; None for a single task too."""
        kept = [s["memory_bytes"] for s in self.summaries if len(s["memory_bytes"]) > 1]
        return statistics.mean([(each[-1] - each[0]) / (len(each) - 1) for each in kept])

    @property
    def num_weights(self) -> float | None:
        """Weights trained and kept, those of all tasks included."""
        return statistics.mean([float(summary["num_weights"]) for summary in self.summaries])

    @property
    def first_task(self) -> Float64[np.ndarray, "seeds tasks"]:
        """Accuracy on the first task after each, in percent, or error; NaN where it was not measured."""
        return np.array([matrix[:, 0] for matrix in self._matrices()])

    @property
    def average_so_far(self) -> Float64[np.ndarray, "seeds tasks"]:
        """Average accuracy over the tasks so far, in percent, or error; NaN where they were not all measured."""
        return np.array([[row[: i + 1].mean() for i, row in enumerate(matrix)] for matrix in self._matrices()])

    def _matrices(self) -> list[Float64[np.ndarray, "tasks tasks"]]:
        metric = self.metric
        return [metric.factor * np.array(summary[metric.name], dtype=np.float64) for summary in self.summaries]


@dataclasses.dataclass(frozen=True)
class MethodComparison:
    """Methods side by side.

    Args:
        base: The experiment they were compared on.
        seeds: How many runs of each method were asked for.
        methods: What was found of each, in the order asked for.
        left_out: Why others are not there, a sentence for each.
    """

    base: Base
    seeds: int
    methods: tuple[MethodFigures, ...]
    left_out: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        """What all runs measured."""
        return self.base.experiment.problem.metric

    @property
    def changes(self) -> tuple[str, ...]:
        """Settings of the user's that change what is learned."""
        return self.base.changes


def plan(base: Base, methods: Sequence[Method], seeds: int = 1) -> list[PlannedRun]:
    """The runs a comparison takes, seed by seed.

    Args:
        base: The experiment to compare methods on.
        methods: Which.
        seeds: How many; they count from 0.

    Raises:
        ConfigurationError: Settings that cannot be run with one of the methods.

    Example:
        >>> from hypermnesia.experiments.many_runs.methods import METHODS, base_of
        >>> [run.name for run in plan(base_of("split-digits"), [METHODS["hnet"], METHODS["ewc"]])]
        ['hnet-seed0', 'ewc-seed0']
    """
    scenarios, metric = (base.experiment.scenario,), base.experiment.problem.metric.name
    figures = (metric, f"average_{metric}", *_FIGURES)
    runs = [
        PlannedRun(method.name, *base.settings(method), scenarios, seed, figures)
        for seed in range(seeds)
        for method in methods
    ]
    try:
        check(runs)
    except ConfigurationError as error:
        if any(text.startswith("learner.") for text in base.overrides):
            raise ConfigurationError(
                f"{error}\nA setting of the learner must be one of every method: leave it out, or name methods "
                "that have it with --methods."
            ) from error
        raise
    return runs


def compare(
    base: Base,
    methods: Sequence[Method],
    outcomes: Iterable[Outcome],
    seeds: int = 1,
    left_out: Sequence[str] = (),
) -> MethodComparison:
    """What the runs found.

    Args:
        base: The experiment that the runs were planned from.
        methods: Likewise.
        outcomes: Runs that did not finish are passed over.
        seeds: How many were asked for.
        left_out: Why others are not there, a sentence for each.
    """
    finished = sorted((each for each in outcomes if each.summary), key=lambda outcome: outcome.run.seed)
    figures, metric = [], base.experiment.problem.metric
    for method in methods:
        summaries = tuple(outcome.summary for outcome in finished if outcome.run.group == method.name)
        tuned = not method.tunable or base.preset(method) is not None
        figures.append(MethodFigures(method, *base.settings(method), tuned, summaries, metric))
    return MethodComparison(base, seeds, tuple(figures), tuple(left_out))
