"""Every setting, and first those in which groups differ."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.page.section import Block, Fold, OfGroup, Section, Table, Text
from hypermnesia.report.units import plain

_MISSING = "—"


def settings(groups: Sequence[Group]) -> Section | None:
    """All of them folded; the seeds stand with the runs."""
    known = [group for group in groups if group.settings]
    if not known:
        return None
    return Section("Settings", [*_differences(known), *(OfGroup(group, [_all(group)]) for group in groups)])


def _differences(groups: Sequence[Group]) -> list[Block]:
    if len(groups) < 2:
        return []
    keys = list(dict.fromkeys(key for group in groups for key in group.settings))
    different = [key for key in keys if len({_text(group, key) for group in groups}) > 1 and key != "description"]
    if not different:
        return [Text("The groups have the same settings.")]
    # Of what there is more stands below each other.
    if len(groups) <= len(different):
        rows = [[key, *(_text(group, key) for group in groups)] for key in different]
        return [Table("Settings that differ", ["setting", *(group.label for group in groups)], rows)]
    rows = [[group.label, *(_text(group, key) for key in different)] for group in groups]
    return [Table("Settings that differ", ["runs", *different], rows)]


def _all(group: Group) -> Block:
    rows = [[key, plain(value)] for key, value in group.settings.items()]
    return Fold(f"All settings of {group.label}", [Table("Settings, without the seed", ["setting", "value"], rows)])


def _text(group: Group, key: str) -> str:
    return plain(group.settings[key]) if key in group.settings else _MISSING
