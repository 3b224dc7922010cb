"""A picture of the accuracy matrix."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hypermnesia.report.heat_map import heat_map
from hypermnesia.report.picture import diagram


def accuracy_figure(matrix: Float64[np.ndarray, "learned tasks"], title: str) -> Figure:
    """Test accuracies after each task: a heat map, or two curves if only diagonal and last row are there.

    Args:
        matrix: Row = after task i, column = task j, in [0, 1]; NaN = not measured.
        title: Put on top.
    """
    figure, axes = diagram(title)
    if np.isnan(matrix[np.tril_indices(len(matrix))]).any():
        _curves(axes, matrix)
    else:
        heat_map(figure, axes, 100 * matrix, label="test accuracy (%)", x="tested on task", y="after learning task")
    return figure


def _curves(axes: Axes, matrix: Float64[np.ndarray, "learned tasks"]) -> None:
    tasks = np.arange(1, len(matrix) + 1)
    axes.plot(
        tasks,
        100 * np.diagonal(matrix),
        color="#0072B2",
        marker="o",
        markersize=3,
        label="right after the task",
    )
    axes.plot(tasks, 100 * matrix[-1], color="#D55E00", marker="s", markersize=3, label="after the last task")
    axes.set_xlabel("task")
    axes.set_ylabel("test accuracy (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
