"""A picture of which task was inferred for the inputs of each task."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from hypermnesia.report.heat_map import heat_map
from hypermnesia.report.picture import diagram


def task_confusion_figure(counts: Int[np.ndarray, "tasks tasks"], title: str) -> Figure:
    """How often each task was inferred for the inputs of each task: a heat map in percent of its row.

    Args:
        counts: Inputs; row = their task, column = the task inferred. A row without any is left blank.
        title: Put on top.
    """
    inputs = counts.sum(1, keepdims=True)
    percent = np.divide(100 * counts, inputs, out=np.full(counts.shape, np.nan), where=inputs > 0)
    figure, axes = diagram(title)
    heat_map(figure, axes, percent, label="inputs of the task (%)", x="inferred task", y="true task")
    return figure
