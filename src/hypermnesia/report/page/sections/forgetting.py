"""What became of each task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.charts.retention import retention_chart
from hypermnesia.report.metric import in_units
from hypermnesia.report.page.names import figure_name
from hypermnesia.report.page.section import Block, Figure, Section, of_each


def forgetting(groups: Sequence[Group]) -> Section | None:
    """Accuracy right after learning against that at the end; nothing while the last row is not measured."""
    return of_each("Forgetting", [(group, _blocks(group, groups)) for group in groups])


def _blocks(group: Group, groups: Sequence[Group]) -> list[Block]:
    matrices, metric = group.matrices, group.metric
    if not matrices.size or np.isnan(matrices[:, -1, : matrices.shape[1]]).any():
        return []
    lost = metric.sign * (np.diagonal(matrices, axis1=1, axis2=2) - matrices[:, -1, : matrices.shape[1]]).mean(axis=0)
    worst = int(lost.argmax())
    told = f"{metric.label} on each task right after learning it and after the last task learned."
    if len(lost) > 1:
        told += f" The largest loss is that on task {worst + 1}, {group.tasks[worst]}: {in_units(lost[worst], metric)}."
    chart = retention_chart(matrices, metric, group.tasks)
    return [Figure(figure_name("forgetting", group, groups), "Right after learning, and now", chart, told)]
