"""A picture of what is kept as tasks go by."""

from __future__ import annotations

from collections.abc import Sequence

import altair

from hypermnesia.report.charts.task_axis import task_axis

_MEBIBYTE = 2**20


def memory_per_task_chart(kept: Sequence[float]) -> altair.LayerChart:
    """Memory kept for the next task, after each one: weights, statistics, embeddings and data.

    Args:
        kept: Bytes.
    """
    rows = [{"task": task, "mebibytes": round(size / _MEBIBYTE, 4)} for task, size in enumerate(kept, start=1)]
    base = altair.Chart(altair.InlineData(rows)).encode(
        x=task_axis("task", "tasks learned", len(kept)),
        y=altair.Y("mebibytes:Q", title="memory kept (MiB)", scale=altair.Scale(zero=True)),
        tooltip=[
            altair.Tooltip("task:Q", title="tasks learned"),
            altair.Tooltip("mebibytes:Q", title="memory kept (MiB)", format=",.3f"),
        ],
    )
    size = 40 if len(kept) <= 30 else 12
    layers = [base.mark_line(tooltip=None), base.mark_point(filled=True, size=size)]
    return altair.LayerChart(layer=layers, width=520, height=180)
