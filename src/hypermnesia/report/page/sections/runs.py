"""Sections on the runs one by one, on their settings, and on where they were carried out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun
from hypermnesia.report.page.section import Block, Fold, OfGroup, Section, Table, Text, of_each
from hypermnesia.report.text import difference, duration, labels, plain

_MISSING = "—"
_MOST_OPEN = 20  # runs


def runs(groups: Sequence[Group]) -> Section:
    """Section with a row for each run, unfinished ones included."""
    metrics = [group.metric for group in groups]
    head = ["directory", "seed", "state", f"average {labels(metrics)}", difference("forgetting", metrics), "time"]
    table = Table("Every run by itself", head, [_row(run) for group in groups for run in group.runs])
    return Section("Runs", _in_fold([table], f"Each of the {len(table.rows)} runs", len(table.rows)))


def _in_fold(blocks: Sequence[Block], title: str, runs: int) -> Sequence[Block]:
    """Blocks as they are, or where they are on many runs, within one that can be unfolded."""
    return [Fold(title, blocks)] if runs > _MOST_OPEN else blocks


def _row(run: RecordedRun) -> list[str]:
    alone = Group("", (run,))
    figures = [
        show_spread(alone.average, run.metric),
        show_spread(alone.forgetting, run.metric),
        duration(alone.seconds),
    ]
    return [str(run.path), "" if run.seed is None else str(run.seed), run.progress, *figures]


def settings(groups: Sequence[Group]) -> Section | None:
    """Section with the settings that differ and, folded, all settings but the seeds, which stand with the runs."""
    known = [group for group in groups if group.settings]
    if not known:
        return None
    return Section("Settings", [*_differences(known), *(OfGroup(group, [_all_settings(group)]) for group in groups)])


def _differences(groups: Sequence[Group]) -> list[Block]:
    if len(groups) < 2:
        return []
    keys = list(dict.fromkeys(key for group in groups for key in group.settings))
    different = [key for key in keys if len({_setting(group, key) for group in groups}) > 1 and key != "description"]
    if not different:
        return [Text("The groups have the same settings.")]
    # Of what there is more stands below each other.
    if len(groups) <= len(different):
        rows = [[key, *(_setting(group, key) for group in groups)] for key in different]
        return [Table("Settings that differ", ["setting", *(group.label for group in groups)], rows)]
    rows = [[group.label, *(_setting(group, key) for key in different)] for group in groups]
    return [Table("Settings that differ", ["runs", *different], rows)]


def _all_settings(group: Group) -> Block:
    rows = [[key, plain(value)] for key, value in group.settings.items()]
    return Fold(f"All settings of {group.label}", [Table("Settings, without the seed", ["setting", "value"], rows)])


def _setting(group: Group, key: str) -> str:
    return plain(group.settings[key]) if key in group.settings else _MISSING


def environment(groups: Sequence[Group]) -> Section | None:
    """Section with versions, device and command of each run, for each time it was started or resumed."""
    return of_each("Environment", groups, _versions)


def _versions(group: Group) -> Sequence[Block]:
    folds = [
        Fold(
            f"Seed {run.seed}" if len(group.runs) > 1 else "Versions, device and command",
            [_version_table(run.environments)],
        )
        for run in group.runs
        if run.environments
    ]
    return _in_fold(folds, f"Versions, device and command of each of the {len(folds)} seeds", len(folds))


def _version_table(environments: Sequence[Mapping[str, Any]]) -> Table:
    """Table of what is known, with a column for each time the run was started or resumed."""
    keys = list(dict.fromkeys(key for entry in environments for key in entry))
    rows = [[key.replace("_", " "), *(_value(entry.get(key)) for entry in environments)] for key in keys]
    columns = ["value"] if len(environments) == 1 else [f"start {number + 1}" for number in range(len(environments))]
    return Table("Versions and device", ["", *columns], rows)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return shlex.join(map(str, value))
    return _MISSING if value is None else str(value)
