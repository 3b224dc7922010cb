"""Where runs were carried out, and with which versions."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.page.section import Block, Fold, Section, Table, of_each


def environment(groups: Sequence[Group]) -> Section | None:
    """Of each run, and of each time it was resumed."""
    return of_each("Environment", [(group, _blocks(group)) for group in groups])


def _blocks(group: Group) -> list[Block]:
    return [
        Fold(f"Seed {run.seed}" if len(group.runs) > 1 else "Versions, device and command", [_table(run.environments)])
        for run in group.runs
        if run.environments
    ]


def _table(environments: Sequence[Mapping[str, Any]]) -> Table:
    """What is known, with a column for each time the run was started or resumed."""
    keys = list(dict.fromkeys(key for entry in environments for key in entry))
    rows = [[key.replace("_", " "), *(_text(entry.get(key)) for entry in environments)] for key in keys]
    columns = ["value"] if len(environments) == 1 else [f"start {number + 1}" for number in range(len(environments))]
    return Table("Versions and device", ["", *columns], rows)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return shlex.join(map(str, value))
    return "—" if value is None else str(value)
