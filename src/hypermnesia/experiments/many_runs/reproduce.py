"""Setting our accuracies beside published ones: which runs that takes, and collecting what they found."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation import statistics
from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun, check
from hypermnesia.experiments.many_runs.published import Accuracy, PublishedTable
from hypermnesia.experiments.settings.config import WITHOUT_INFLUENCE


@dataclasses.dataclass(frozen=True)
class Cell:
    """One accuracy, published and ours.

    Args:
        published: In percent; None if it was not.
        published_seeds: Over how many.
        ours: In percent, one for each seed.

    Example:
        >>> cell = Cell(Accuracy(99.79, 0.01), 20, (99.5, 99.7))
        >>> round(cell.mean, 2), round(cell.sem, 2), cell.below
        (99.6, 0.1, False)
    """

    published: Accuracy | None
    published_seeds: int
    ours: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """Over our seeds; None without any."""
        return statistics.mean(self.ours)

    @property
    def sem(self) -> float | None:
        """Standard error of our mean; None for fewer than two seeds."""
        return statistics.sem(self.ours)

    @property
    def below(self) -> bool | None:
        """Whether ours is below the published by more than two standard errors of the difference.

        A single seed is taken to spread as the published ones do. None where there is nothing to compare.
        """
        if self.published is None or self.mean is None:
            return None
        sem = self.published.sem * math.sqrt(self.published_seeds) if self.sem is None else self.sem
        return self.published.mean - self.mean > 2 * math.hypot(self.published.sem, sem)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A published table with our accuracies in it.

    Args:
        table: The part of it that was asked for.
        measured: By benchmark, scenario and method: percent, one for each finished seed.
        changes: Settings of ours that are not the published ones.
    """

    table: PublishedTable
    measured: Mapping[tuple[str, str, str], tuple[float, ...]]
    changes: tuple[str, ...] = ()

    def cell(self, benchmark: str, scenario: str, method: str) -> Cell:
        """What is known of one cell."""
        published = self.table.accuracy[benchmark][scenario].get(method)
        return Cell(published, self.table.seeds, self.measured.get((benchmark, scenario, method), ()))


def plan(table: PublishedTable, seeds: int = 1, overrides: Sequence[str] = ()) -> list[PlannedRun]:
    """The runs a table takes, seed by seed.

    Args:
        table: What `published.select` left of it.
        seeds: How many; they count from 0.
        overrides: Settings for every run, as `training.iterations=10`.

    Raises:
        ConfigurationError: An override of what the table decides, or settings that cannot be run.

    Example:
        >>> from hypermnesia.experiments.many_runs.published import load, select
        >>> [run.name for run in plan(select(load("table-1"), ["split-mnist"], ["hnet-ent"]), seeds=2)]
        ['split-mnist_hnet-ent-seed0', 'split-mnist_hnet-ent-seed1']
    """
    for assignment in overrides:
        for key, option in (("seed", "--seeds"), ("scenario", "--only")):
            if assignment.partition("=")[0] == key:
                raise ConfigurationError(f"'{assignment}': the table decides on the {key}; choose with {option}.")
    runs = [
        PlannedRun(run.name, run.preset, (*run.settings, *overrides), table.scenarios(run), seed)
        for seed in range(seeds)
        for run in table.runs
    ]
    check(runs)
    return runs


def changes(overrides: Iterable[str]) -> tuple[str, ...]:
    """Those overrides that change what is learned.

    Example:
        >>> changes(["training.iterations=10", "device=cuda"])
        ('training.iterations=10',)
    """
    return tuple(text for text in overrides if text.partition("=")[0].split(".")[0] not in WITHOUT_INFLUENCE)


def compare(table: PublishedTable, outcomes: Iterable[Outcome], changes: Sequence[str] = ()) -> Comparison:
    """What the runs found, beside what was published.

    Args:
        table: The one that the runs were planned from.
        outcomes: Runs that did not finish are passed over.
        changes: Settings that are not the published ones.
    """
    of_group = {run.name: run for run in table.runs}
    measured: dict[tuple[str, str, str], tuple[float, ...]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.run.seed):
        cells = of_group[outcome.run.group]
        for scenario, accuracy in outcome.averages.items():
            cell = (cells.benchmark, scenario, cells.method)
            measured[cell] = (*measured.get(cell, ()), 100 * accuracy)
    return Comparison(table, measured, tuple(changes))
