"""The runs one by one: where they lie, how far they are, what each found."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.experiments.groups import Group
from hypermnesia.experiments.recorded import RecordedRun
from hypermnesia.report import measure
from hypermnesia.report.page.section import Section, Table
from hypermnesia.report.units import duration


def runs(groups: Sequence[Group]) -> Section:
    """A row for each, unfinished ones included."""
    head = ["directory", "seed", "state", f"average {measure.LABEL}", f"forgetting ({measure.UNIT})", "time"]
    return Section("Runs", [Table("Every run by itself", head, [_row(run) for group in groups for run in group.runs])])


def _row(run: RecordedRun) -> list[str]:
    alone = Group("", (run,))
    figures = [measure.text(alone.average_accuracy), measure.text(alone.forgetting), duration(alone.seconds)]
    return [str(run.path), "" if run.seed is None else str(run.seed), run.progress, *figures]
