"""A picture of which task was inferred for the inputs of each task."""

from __future__ import annotations

import altair
import numpy as np
from jaxtyping import Int

from hypermnesia.report.charts.heat_map import heat_map


def task_confusion_chart(counts: Int[np.ndarray, "tasks tasks"]) -> altair.LayerChart:
    """How often each task was inferred for the inputs of each task: a heat map in percent of its row.

    Args:
        counts: Inputs; row = their task, column = the task inferred. A row without any is left blank.
    """
    inputs = counts.sum(1, keepdims=True)
    percent = np.divide(100 * counts, inputs, out=np.full(counts.shape, np.nan), where=inputs > 0)
    return heat_map(percent, label="inputs of the task (%)", x="inferred task", y="true task")
