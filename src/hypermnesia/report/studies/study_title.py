"""What studies of many runs say about these."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.analyses.variants import Found
from hypermnesia.experiments.many_runs.methods import Base


def title_of(base: Base, seeds: int) -> str:
    """Experiment, scenario and number of seeds."""
    number = f"{seeds} seeds" if seeds > 1 else "one seed"
    return f"{base.experiment.name}, {base.experiment.scenario}-incremental, {number}"


def seeds_of(found: Sequence[Found], wanted: int) -> str:
    """How many seeds there are of what has the fewest, and how many were asked for, if more.

    Example:
        >>> seeds_of([Found(({}, {})), Found(({},))], wanted=2)
        '1 of 2'
    """
    number = min(len(each.summaries) for each in found)
    return f"{number}" if number == wanted else f"{number} of {wanted}"
