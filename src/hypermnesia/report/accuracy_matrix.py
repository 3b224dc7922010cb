"""A picture of the accuracy matrix."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# cividis looks the same to people with and without red-green blindness, and in gray.
_COLORS = "cividis"
_MOST_NUMBERS = 12


def accuracy_figure(matrix: Float64[np.ndarray, "learned tasks"], title: str) -> Figure:
    """Test accuracies after each task: a heat map, or two curves if only diagonal and last row are there.

    Args:
        matrix: Row = after task i, column = task j, in [0, 1]; NaN = not measured.
        title: Put on top.
    """
    figure = Figure(layout="constrained", figsize=(6.4, 5.4), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11)
    if np.isnan(matrix[np.tril_indices(len(matrix))]).any():
        _curves(axes, matrix)
    else:
        _heat_map(figure, axes, matrix)
    return figure


def png(figure: Figure) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _heat_map(figure: Figure, axes: Axes, matrix: Float64[np.ndarray, "learned tasks"]) -> None:
    percent = 100 * matrix
    image = axes.imshow(percent, cmap=_COLORS, vmin=0, vmax=100, interpolation="nearest")
    figure.colorbar(image, ax=axes, label="test accuracy (%)", shrink=0.85)
    axes.set_xlabel("tested on task")
    axes.set_ylabel("after learning task")
    rows, columns = matrix.shape
    for axis, count in ((axes.xaxis, columns), (axes.yaxis, rows)):
        every = 1 if count <= 20 else 10 if count <= 120 else 50
        ticks = [number - 1 for number in range(1, count + 1) if number == 1 or number % every == 0]
        axis.set_ticks(ticks, [str(tick + 1) for tick in ticks])
    if columns > _MOST_NUMBERS:
        return
    for (row, column), value in np.ndenumerate(percent):
        if not np.isnan(value):
            color = "black" if value > 55 else "white"
            axes.text(
                column,
                row,
                f"{value:.1f}",
                ha="center",
                va="center",
                color=color,
                fontsize=9 if columns < 8 else 7,
            )


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
