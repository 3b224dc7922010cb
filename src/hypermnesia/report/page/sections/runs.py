"""The runs one by one: where they lie, how far they are, what each found."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun
from hypermnesia.report.metric import difference, labels
from hypermnesia.report.page.section import Section, Table
from hypermnesia.report.units import duration


def runs(groups: Sequence[Group]) -> Section:
    """A row for each, unfinished ones included."""
    metrics = [group.metric for group in groups]
    head = ["directory", "seed", "state", f"average {labels(metrics)}", difference("forgetting", metrics), "time"]
    return Section("Runs", [Table("Every run by itself", head, [_row(run) for group in groups for run in group.runs])])


def _row(run: RecordedRun) -> list[str]:
    alone = Group("", (run,))
    figures = [
        show_spread(alone.average, run.metric),
        show_spread(alone.forgetting, run.metric),
        duration(alone.seconds),
    ]
    return [str(run.path), "" if run.seed is None else str(run.seed), run.progress, *figures]
