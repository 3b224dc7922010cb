"""Percentages of tasks by tasks as colors, and as numbers where there is room."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# cividis looks the same to people with and without red-green blindness, and in gray.
_COLORS = "cividis"
_MOST_NUMBERS = 12


def heat_map(
    figure: Figure, axes: Axes, percent: Float64[np.ndarray, "rows columns"], *, label: str, x: str, y: str
) -> None:
    """Draw a matrix of percentages, with a color bar beside it; rows and columns are counted from 1.

    Args:
        figure: Where to.
        axes: Where on it.
        percent: From 0 to 100; NaN leaves a cell blank.
        label: What the percentages are, at the color bar.
        x: What the columns are.
        y: What the rows are.
    """
    image = axes.imshow(percent, cmap=_COLORS, vmin=0, vmax=100, interpolation="nearest")
    figure.colorbar(image, ax=axes, label=label, shrink=0.85)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    rows, columns = percent.shape
    for axis, count in ((axes.xaxis, columns), (axes.yaxis, rows)):
        every = 1 if count <= 20 else 10 if count <= 120 else 50
        ticks = [number - 1 for number in range(1, count + 1) if number == 1 or number % every == 0]
        axis.set_ticks(ticks, [str(tick + 1) for tick in ticks])
    if columns > _MOST_NUMBERS:
        return
    for (row, column), value in np.ndenumerate(percent):
        if not np.isnan(value):
            axes.text(
                column,
                row,
                f"{value:.1f}",
                ha="center",
                va="center",
                color="black" if value > 55 else "white",
                fontsize=9 if columns < 8 else 7,
            )
