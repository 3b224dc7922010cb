"""Heat maps of tasks by tasks: of accuracies, and of the tasks inferred."""

from __future__ import annotations

import math
from typing import Any

import altair
import numpy as np
from jaxtyping import Float64, Int

from hypermnesia.charts.chart import chart_of, labeled
from hypermnesia.charts.retention import retention_chart
from hypermnesia.criteria import ACCURACY, Metric

_MOST_NUMBERS = 12
_SIDE, _NARROWEST_CELL = 420, 38  # pixels
_DARK_BELOW = 0.55  # of the colors from first to last: cividis is dark there


def heat_map(percent: Float64[np.ndarray, "rows columns"], *, label: str, x: str, y: str) -> altair.LayerChart:
    """Heat map of a matrix of percentages with a color bar; rows and columns are counted from 1.

    The colors span the percentages there are, so that the little that was forgotten is seen.

    Args:
        percent: Percentages from 0 to 100; NaN leaves a cell blank.
        label: Title of the color bar.
        x: Title of the columns.
        y: Title of the rows.
    """
    rows, columns = percent.shape
    cells = (
        chart_of(_rows(percent))
        .transform_flatten(["column", "percent"])
        .encode(
            x=altair.X("column:O", title=x, axis=_axis(columns), scale=altair.Scale(domain=[*range(1, columns + 1)])),
            y=altair.Y("row:O", title=y, axis=_axis(rows), scale=altair.Scale(domain=[*range(1, rows + 1)])),
            tooltip=[
                altair.Tooltip("row:O", title=y),
                altair.Tooltip("column:O", title=x),
                altair.Tooltip("percent:Q", title=label, format=".2f"),
            ],
        )
    )
    low, high = _span(percent)
    colors = cells.mark_rect().encode(
        color=altair.Color("percent:Q", title=label, scale=altair.Scale(domain=[low, high], scheme="cividis"))
    )
    numbers = cells.mark_text(fontSize=11 if columns < 8 else 9).encode(
        text=altair.Text("percent:Q", format=".1f"),
        color=altair.condition(
            f"datum.percent > {low + _DARK_BELOW * (high - low)}", altair.value("black"), altair.value("white")
        ),
    )
    side = max(_SIDE, columns * _NARROWEST_CELL) if columns <= _MOST_NUMBERS else _SIDE
    layers = [colors, numbers] if columns <= _MOST_NUMBERS else [colors]
    return altair.LayerChart(layer=layers, width=side, height=side, usermeta={"heightOfWidth": 0.86})


def _span(percent: Float64[np.ndarray, "rows columns"]) -> tuple[float, float]:
    """The lowest and the highest percentage, from one whole number to another."""
    measured = percent[~np.isnan(percent)]
    low, high = (math.floor(measured.min()), math.ceil(measured.max())) if measured.size else (0, 100)
    return (low, high) if low < high else (low - 1, high) if low else (0, 1)


def _rows(percent: Float64[np.ndarray, "rows columns"]) -> list[dict[str, Any]]:
    """A row of the matrix as one entry, which makes a page with many of them a quarter as long."""
    measured = [np.flatnonzero(~np.isnan(row)) for row in percent]
    return [
        {"row": number + 1, "column": (there + 1).tolist(), "percent": row[there].round(3).tolist()}
        for number, (row, there) in enumerate(zip(percent, measured, strict=True))
        if len(there)
    ]


def _axis(count: int) -> altair.Axis:
    return altair.Axis(
        values=labeled(count), labelAngle=0, labelOverlap=False, labelPadding=6, domain=False, ticks=False
    )


def matrix_chart(matrix: Float64[np.ndarray, "learned tasks"], metric: Metric) -> altair.LayerChart:
    """Heat map of test accuracies, or the retention of each task if only that was measured or errors were.

    Args:
        matrix: Accuracies or errors; row = after task i, column = task j; NaN = not measured.
        metric: Metric of the values. Colors of errors would tell little: they may differ by orders of magnitude.
    """
    whole = metric is ACCURACY and is_whole(matrix)
    return heat_map_of_accuracy(matrix) if whole else retention_chart(matrix[None], metric)


def heat_map_of_accuracy(matrix: Float64[np.ndarray, "learned tasks"]) -> altair.LayerChart:
    """Heat map of test accuracies; what was not measured is left blank."""
    return heat_map(100 * matrix, label=ACCURACY.label, x="tested on task", y="after learning task")


def is_whole(matrix: Float64[np.ndarray, "learned tasks"]) -> bool:
    """Whether every task was tested after each task since its own."""
    return not np.isnan(matrix[np.tril_indices(len(matrix))]).any()


def task_confusion_chart(counts: Int[np.ndarray, "tasks tasks"]) -> altair.LayerChart:
    """Heat map of how often each task was inferred for the inputs of each task, in percent of its row.

    Args:
        counts: Numbers of inputs; row = their task, column = the inferred task. A row of zeros is left blank.
    """
    inputs = counts.sum(1, keepdims=True)
    percent = np.divide(100 * counts, inputs, out=np.full(counts.shape, np.nan), where=inputs > 0)
    return heat_map(percent, label="inputs of the task (%)", x="inferred task", y="true task")
