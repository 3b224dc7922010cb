"""Variants of an experiment, whose accuracies a study compares: which runs they take, and what these found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation import statistics
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.many_runs.methods import Base
from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun, check
from hypermnesia.problems import CLASSIFICATION

_FIGURES = ("average_accuracy", "learning_accuracy", "num_weights")


@dataclasses.dataclass(frozen=True)
class Variant:
    """An experiment, up to the seed.

    Args:
        name: Of its run directories, `-seedN` left out.
        preset: Preset or file that it is run from.
        settings: All that differ from that.
    """

    name: str
    preset: str
    settings: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Found:
    """What the runs of a variant found.

    Args:
        summaries: Of its finished runs, by seed.

    Example:
        >>> found = Found(({"average_accuracy": 0.9, "learning_accuracy": 0.975, "num_weights": 9},))
        >>> found.at_end, found.right_after
        (Spread(mean=90.0, sem=None), Spread(mean=97.5, sem=None))
    """

    summaries: tuple[Mapping[str, Any], ...]

    @property
    def at_end(self) -> Spread | None:
        """Average accuracy after the last task, in percent; None if no run finished, as for all others."""
        return statistics.spread([100 * summary["average_accuracy"] for summary in self.summaries])

    @property
    def right_after(self) -> Spread | None:
        """Accuracy on each task right after it was learned, averaged, in percent."""
        return statistics.spread([100 * summary["learning_accuracy"] for summary in self.summaries])

    @property
    def num_weights(self) -> int | None:
        """Weights trained and kept, those of all tasks included."""
        return self.summaries[0]["num_weights"] if self.summaries else None


def check_classes(base: Base) -> None:
    """Refuse an experiment that asks for numbers: what is compared are accuracies.

    Raises:
        ConfigurationError: It does.
    """
    if base.experiment.problem is not CLASSIFICATION:
        raise ConfigurationError(f"{base.source} asks for numbers; accuracies are of classes, as in split-digits.")


def plan(variants: Iterable[Variant], scenario: str, seeds: int = 1) -> list[PlannedRun]:
    """The runs that variants take, seed by seed.

    Args:
        variants: Each with a name of its own.
        scenario: In which their accuracy is wanted.
        seeds: How many; they count from 0.

    Raises:
        ConfigurationError: Settings that cannot be run.

    Example:
        >>> [run.name for run in plan([Variant("small", "split-digits", ("network.hidden=[8]",))], "task", seeds=2)]
        ['small-seed0', 'small-seed1']
    """
    runs = [
        PlannedRun(variant.name, variant.preset, variant.settings, (scenario,), seed, _FIGURES)
        for seed in range(seeds)
        for variant in variants
    ]
    check(runs)
    return runs


def found(variant: Variant, outcomes: Sequence[Outcome]) -> Found:
    """What the runs of a variant found; those that did not finish are passed over."""
    finished = sorted(
        (outcome for outcome in outcomes if outcome.run.group == variant.name and outcome.summary),
        key=lambda outcome: outcome.run.seed,
    )
    return Found(tuple(outcome.summary for outcome in finished))
