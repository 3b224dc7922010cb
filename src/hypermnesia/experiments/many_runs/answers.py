"""Which cells of a published table a run answers for, whoever started it and wherever it lies."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from hypermnesia.experiments.many_runs.published import PublishedTable, Reproduction
from hypermnesia.experiments.many_runs.reproduce import Comparison
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.settings.config import APART_FROM_SETTINGS, Experiment, load


def answers(table: PublishedTable, groups: Sequence[Group]) -> Comparison:
    """The table with the accuracies of those finished runs in it whose settings are the published ones.

    Args:
        table: Published.
        groups: Those with other settings are passed over.
    """
    measured: dict[tuple[str, str, str], dict[int | None, float]] = {}
    for group in groups:
        experiment = group.runs[0].experiment
        reproduction = answering(table, experiment) if experiment and group.finished else None
        if reproduction is None:
            continue
        for run in group.counted:
            found = (run.summary or {}).get("scenario_accuracy", {})
            for scenario in table.scenarios(reproduction):
                if scenario in found:
                    cell = (reproduction.benchmark, scenario, reproduction.method)
                    measured.setdefault(cell, {}).setdefault(run.seed, 100 * found[scenario])
    return Comparison(table, {cell: tuple(by_seed.values()) for cell, by_seed in measured.items()})


def answering(table: PublishedTable, experiment: Experiment) -> Reproduction | None:
    """The entry under `runs` that is this experiment; None if there is none.

    Example:
        >>> from hypermnesia.experiments.many_runs.published import load as published
        >>> answering(published("table-1"), load("split-mnist-replay", ["scenario=class", "seed=3"])).method
        'hnet-r'
        >>> answering(published("table-1"), load("split-mnist-replay", ["training.iterations=3"])) is None
        True
    """
    return next((each for each in table.runs if _wanted(each) == _learned(experiment, each)), None)


@functools.cache
def _wanted(reproduction: Reproduction) -> dict[str, Any]:
    return _learned(load(reproduction.preset, reproduction.settings), reproduction)


def _learned(experiment: Experiment, reproduction: Reproduction) -> dict[str, Any]:
    """All settings that change what is learned.

    Where one run answers in all scenarios, its own decides only what is tested after each task.
    """
    separate = any(text.startswith("scenario=") for text in reproduction.settings)
    without = APART_FROM_SETTINGS | (set() if separate else {"scenario"})
    return experiment.model_dump(exclude=without)
