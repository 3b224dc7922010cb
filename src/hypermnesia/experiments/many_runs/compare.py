"""Methods side by side on one sequence of tasks: which runs that takes, and what they found."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hypermnesia.criteria import Metric
from hypermnesia.experiments.many_runs.base import Base
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun, grouped, over_seeds
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.learners import Method


@dataclasses.dataclass(frozen=True)
class MethodComparison:
    """Methods side by side.

    Args:
        base: Experiment they were compared on.
        seeds: Number of runs of each method that were asked for.
        found: Finished runs by method, in the order asked for.
        left_out: Why others are not there, a sentence for each.
    """

    base: Base
    seeds: int
    found: dict[Method, Group]
    left_out: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        """Metric of all runs."""
        return self.base.experiment.metric

    @property
    def untuned(self) -> list[Method]:
        """Methods with default settings, which were not chosen for these tasks."""
        return [method for method in self.found if not self.base.benchmark.tunes(method.name)]


def plan_comparison(base: Base, methods: Sequence[Method], seeds: int = 1) -> list[PlannedRun]:
    """The runs a comparison takes, seed by seed.

    Args:
        base: Experiment to compare methods on.
        methods: Methods to compare.
        seeds: Number of seeds, which count from 0.

    Raises:
        ConfigurationError: Settings that cannot be run with one of the methods.

    Example:
        >>> from hypermnesia.experiments.many_runs.base import base_of, choose
        >>> [run.name for run in plan_comparison(base_of("split-digits"), choose(["hnet", "ewc"], "task"))]
        ['hnet-seed0', 'ewc-seed0']
    """
    runs = [PlannedRun(method.name, base.experiment_of(method.name), (base.scenario,)) for method in methods]
    return over_seeds(runs, seeds)


def compare(
    base: Base, methods: Sequence[Method], outcomes: Sequence[Outcome], seeds: int = 1, left_out: Sequence[str] = ()
) -> MethodComparison:
    """Results of the runs; those that did not finish are passed over.

    Args:
        base: Experiment that the runs were planned from.
        methods: Methods that were compared.
        outcomes: How the runs ended.
        seeds: Number of seeds that were asked for.
        left_out: Why others are not there, a sentence for each.
    """
    found = {method: grouped(method.name, outcomes) for method in methods}
    return MethodComparison(base, seeds, found, tuple(left_out))
