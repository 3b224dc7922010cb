"""Percentages of tasks by tasks as colors, and as numbers where there is room."""

from __future__ import annotations

from typing import Any

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.report.charts.task_axis import labeled

_MOST_NUMBERS = 12
_SIDE, _NARROWEST_CELL = 420, 38  # pixels
_DARK_BELOW = 55  # percent: cividis is dark there


def heat_map(percent: Float64[np.ndarray, "rows columns"], *, label: str, x: str, y: str) -> altair.LayerChart:
    """A matrix of percentages, with a color bar beside it; rows and columns are counted from 1.

    Args:
        percent: From 0 to 100; NaN leaves a cell blank.
        label: What the percentages are, at the color bar.
        x: What the columns are.
        y: What the rows are.
    """
    rows, columns = percent.shape
    cells = (
        altair.Chart(altair.InlineData(_rows(percent)))
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
    colors = cells.mark_rect().encode(
        color=altair.Color("percent:Q", title=label, scale=altair.Scale(domain=[0, 100], scheme="cividis"))
    )
    numbers = cells.mark_text(fontSize=11 if columns < 8 else 9).encode(
        text=altair.Text("percent:Q", format=".1f"),
        color=altair.condition(f"datum.percent > {_DARK_BELOW}", altair.value("black"), altair.value("white")),
    )
    side = max(_SIDE, columns * _NARROWEST_CELL) if columns <= _MOST_NUMBERS else _SIDE
    layers = [colors, numbers] if columns <= _MOST_NUMBERS else [colors]
    return altair.LayerChart(layer=layers, width=side, height=side, usermeta={"heightOfWidth": 0.86})


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
