"""Setting our accuracies beside published ones: which runs that takes, and what they found, whoever started them."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun, grouped, over_seeds
from hypermnesia.experiments.many_runs.published import PUBLISHED, CellKey, PublishedTable, Reproduction
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.settings.config import APART_FROM_SETTINGS, Experiment


@dataclasses.dataclass(frozen=True)
class Cell:
    """One average accuracy in [0, 1], published and ours.

    Args:
        published: Mean and standard error; None if it was not published.
        published_seeds: Number of seeds it was published over; None where that is not known.
        ours: Mean and standard error over our seeds; None without any.
        seeds: Number of our seeds.

    Example:
        >>> Cell(Spread(0.9979, 0.0001), 20, Spread(0.996, 0.001), 2).below
        False
    """

    published: Spread | None
    published_seeds: int | None
    ours: Spread | None
    seeds: int

    @property
    def below(self) -> bool | None:
        """Whether ours is below the published by more than two standard errors of the difference.

        A single seed is taken to spread as the published ones do. None where there is nothing to compare.
        """
        if not (self.published and self.published.sem is not None and self.published_seeds and self.ours):
            return None
        sem = self.published.sem * math.sqrt(self.published_seeds) if self.ours.sem is None else self.ours.sem
        return self.published.mean - self.ours.mean > 2 * math.hypot(self.published.sem, sem)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A published table with our accuracies in it.

    Args:
        table: The part of it that was asked for.
        found: Our finished runs by benchmark, scenario, method and variant.
        changed: Settings of all of ours that are not the published ones, as text.
    """

    table: PublishedTable
    found: Mapping[CellKey, Group]
    changed: tuple[str, ...] = ()

    def cell(self, benchmark: str, scenario: str, method: str, variant: str = PUBLISHED) -> Cell:
        """Everything known of one cell, with our figure of one variant."""
        published = self.table.accuracy[benchmark][scenario].get(method)
        group = self.found.get(CellKey(benchmark, scenario, method, variant), Group(method))
        in_fractions = published and Spread(published.mean / 100, published.sem and published.sem / 100)
        return Cell(in_fractions, self.table.seeds, group.average_in(scenario), group.seeds)

    def side_by_side(self, benchmark: str) -> dict[str, Group]:
        """Our runs on a benchmark by what they are called: the method, and the variant if it is one."""
        groups = {}
        for key, group in self.found.items():
            if key.benchmark == benchmark:
                variant = self.table.variants.get(key.variant)
                groups[f"{self.table.methods[key.method]}{f', {variant.label}' if variant else ''}"] = group
        return groups


def plan_table(table: PublishedTable, seeds: int = 1, changes: Mapping[str, Any] | None = None) -> list[PlannedRun]:
    """The runs a table takes, seed by seed.

    Args:
        table: What `published.select` left of it.
        seeds: Number of seeds, which count from 0.
        changes: Settings for every run, by place, as `training.iterations`.

    Raises:
        ConfigurationError: A change of what the table decides, or settings that cannot be run.

    Example:
        >>> from hypermnesia.experiments.many_runs.published import load_table, select
        >>> [run.name for run in plan_table(select(load_table("table-1"), ["split-mnist"], ["hnet"]))]
        ['split-mnist_hnet-seed0', 'split-mnist_hnet_module-seed0']
    """
    changes = dict(changes or {})
    decided = {place: "variants" for run in table.runs if run.variant != PUBLISHED for place in run.settings}
    for place, argument in (decided | {"seed": "seeds", "scenario": "only", "learner.method": "methods"}).items():
        if place in changes:
            raise ConfigurationError(f"the table decides on {place}: leave it out, and choose {argument}.")
    runs = [PlannedRun(run.name, run.experiment(changes), table.scenarios(run)) for run in table.runs]
    return over_seeds(runs, seeds)


def compare_with_published(
    table: PublishedTable, outcomes: Sequence[Outcome], changed: Sequence[str] = ()
) -> Comparison:
    """Results of the runs beside what was published; those that did not finish are passed over.

    Args:
        table: The one that the runs were planned from.
        outcomes: How the runs ended.
        changed: Settings that are not the published ones, as text.
    """
    found = {cell: grouped(run.name, outcomes) for run in table.runs for cell in table.cells(run)}
    return Comparison(table, {cell: group for cell, group in found.items() if group.runs}, tuple(changed))


def answers(table: PublishedTable, groups: Sequence[Group]) -> Comparison:
    """The table with those finished runs in it whose settings are the published ones or a variant, wherever they lie.

    Args:
        table: The published table.
        groups: Groups of runs; those with other settings are passed over.
    """
    found: dict[CellKey, dict[int | None, Any]] = {}
    for group in groups:
        experiment = group.runs[0].experiment
        reproduction = answering(table, experiment) if experiment and group.finished else None
        if reproduction is None:
            continue
        for cell in table.cells(reproduction):
            for run in group.counted:
                if cell.scenario in run.averages:
                    found.setdefault(cell, {}).setdefault(run.seed, run)
    return Comparison(table, {cell: Group(cell.method, tuple(runs.values())) for cell, runs in found.items()})


def answering(table: PublishedTable, experiment: Experiment) -> Reproduction | None:
    """The entry under `runs` that is this experiment; None if there is none.

    Example:
        >>> from hypermnesia.experiments.many_runs.published import load_table
        >>> from hypermnesia.experiments.settings.benchmark import load_experiment
        >>> answering(load_table("table-1"), load_experiment("split-mnist", method="hnet-r")).method
        'hnet-r'
        >>> answering(load_table("table-1"), load_experiment("split-mnist", {"training.iterations": 3})) is None
        True
    """
    return next((each for each in table.runs if _wanted(each.model_dump_json()) == _learned(experiment, each)), None)


@functools.cache
def _wanted(reproduction: str) -> dict[str, Any]:
    run = Reproduction.model_validate(json.loads(reproduction))
    return _learned(run.experiment(), run)


def _learned(experiment: Experiment, reproduction: Reproduction) -> dict[str, Any]:
    """All settings that affect what is learned.

    Where one run answers in all scenarios, its own decides only what is tested after each task.
    """
    without = APART_FROM_SETTINGS | (set() if "scenario" in reproduction.settings else {"scenario"})
    return experiment.model_dump(exclude=without)
