"""Style of all charts, axes that they share, and charts as files.

A chart is defined once, in Vega-Lite, and serves everywhere: interactive on a page, and still in a paper.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import altair
import numpy as np
import vl_convert
from jaxtyping import Float64

from hypermnesia.criteria import ACCURACY, Metric
from hypermnesia.evaluation.statistics import Spread, curve, show_spread

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""For categories: Okabe and Ito's, which people with and without color blindness can tell apart, without their yellow,
which is too pale for a line."""

SEQUENTIAL: Final = "cividis"
"""For quantities: looks the same to people with and without red-green blindness, and in gray."""

GRADUAL: Final = altair.SchemeParams(name="viridis", extent=[0.25, 0.85])
"""For lines from early to late: neither the darkest nor the palest, which are lost on a dark or a light page."""

_FONT = "Helvetica, Arial, Liberation Sans, sans-serif"


def style(*, paper: str, ink: str, muted: str, line: str, categories: tuple[str, ...]) -> dict[str, Any]:
    """Vega-Lite's `config` with these colors.

    Args:
        paper: Color behind the chart.
        ink: Color of titles.
        muted: Color of labels, and of marks that only lead the eye.
        line: Color of axes and grids.
        categories: Colors of categories, in the order of their use.

    Example:
        >>> style(paper="white", ink="black", muted="gray", line="silver", categories=COLORS)["background"]
        'white'
    """
    return {
        "background": paper,
        "font": _FONT,
        "title": {
            "fontSize": 13,
            "fontWeight": "normal",
            "anchor": "start",
            "offset": 10,
            "color": ink,
            "subtitleColor": muted,
        },
        "axis": {
            "labelFontSize": 11,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelColor": muted,
            "titleColor": ink,
            "domainColor": line,
            "tickColor": line,
            "gridColor": line,
            "gridOpacity": 0.5,
        },
        "legend": {
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "labelColor": ink,
            "titleColor": ink,
            "symbolStrokeWidth": 2,
            "symbolBaseStrokeColor": ink,
            "symbolBaseFillColor": ink,
            "labelLimit": 320,
        },
        "header": {"labelColor": ink, "titleColor": ink},
        "view": {"stroke": "transparent"},
        "mark": {"color": categories[0]},
        "text": {"color": ink},
        "rule": {"color": muted},
        "range": {"category": list(categories), "heatmap": {"scheme": SEQUENTIAL}, "ramp": {"scheme": SEQUENTIAL}},
    }


STYLE = style(paper="white", ink="#000000", muted="#333333", line="#999999", categories=COLORS)
"""Vega-Lite's `config` for charts on white paper."""


# Beyond seven categories the colors come again, with other lines and shapes; these tell them apart in gray, too.
_LINES = ([1, 0], [6, 3], [1, 3])
_SHAPES = (
    *("circle", "square", "diamond", "triangle-up", "cross"),
    *("triangle-down", "triangle-right", "triangle-left", "stroke", "arrow"),
)


def told_apart(
    field: str, names: Sequence[str], ranked: Sequence[str] | None = None
) -> tuple[altair.Color, altair.StrokeDash, altair.Shape]:
    """Color, line and shape by which any number of categories are told apart, in one legend.

    Args:
        field: Field of the rows that holds the category.
        names: All categories.
        ranked: The same in the order of the legend; None: as they come.

    Example:
        >>> [each.shorthand for each in told_apart("method", ["ours", "theirs"])]
        ['method:N', 'method:N', 'method:N']
    """
    legend = altair.Legend(values=list(ranked or names), symbolSize=90, symbolOpacity=1)
    lines = [_LINES[place // len(COLORS) % len(_LINES)] for place in range(len(names))]
    shapes = [_SHAPES[place % len(_SHAPES)] for place in range(len(names))]

    def scale(**of: Any) -> dict[str, Any]:
        return {"title": None, "legend": legend, "scale": altair.Scale(domain=list(names), **of)}

    kind = f"{field}:N"
    return (
        altair.Color(kind, **scale()),
        altair.StrokeDash(kind, **scale(range=lines)),
        altair.Shape(kind, **scale(range=shapes)),
    )


def titled(chart: altair.TopLevelMixin, title: str) -> altair.TopLevelMixin:
    """Chart under a title that takes as many lines as it needs."""
    named: altair.TopLevelMixin = chart.properties(title=textwrap.wrap(title, 60))
    return named


def chart_of(rows: Iterable[Mapping[str, Any]]) -> altair.Chart:
    """Chart of these rows, without marks yet.

    Args:
        rows: Values by field: numbers and texts of Python's, or lists of them.

    Example:
        >>> specification(chart_of([{"x": 1}]).mark_point().encode(x="x:Q"))["data"]
        {'values': [{'x': 1}]}
    """
    # Of a list altair would copy every entry whenever charts are combined.
    return altair.Chart(altair.InlineData(tuple(dict(row) for row in rows)))


def specification(chart: altair.TopLevelMixin, style: dict[str, Any] = STYLE) -> dict[str, Any]:
    """Description of a chart in Vega-Lite, with its data inside.

    Args:
        chart: Chart without a `config` of its own.
        style: Vega-Lite's `config` to add.

    Example:
        >>> chart = chart_of([{"x": 1}]).mark_point().encode(x="x:Q")
        >>> specification(chart)["mark"]
        {'type': 'point'}
    """
    with altair.data_transformers.enable("default", max_rows=None, consolidate_datasets=False):
        # Its parts were checked when they were made.
        described: dict[str, Any] = chart.to_dict(validate=False)
    return {**_printable(described), "config": style}


def _printable(node: Any) -> Any:
    """The description with no characters that commands, such as NUL, for which the renderer ends the whole program."""
    if isinstance(node, dict):
        return {key: _printable(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_printable(value) for value in node]
    if isinstance(node, str) and not node.isprintable():
        return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in node)
    return node


def svg(chart: altair.TopLevelMixin) -> bytes:
    """Chart as the bytes of an SVG file."""
    return str(vl_convert.vegalite_to_svg(specification(chart))).encode()


def pdf(chart: altair.TopLevelMixin) -> bytes:
    """Chart as the bytes of a PDF file, in which text stays text."""
    return bytes(vl_convert.vegalite_to_pdf(specification(chart)))


def png(chart: altair.TopLevelMixin) -> bytes:
    """Chart as the bytes of a PNG file, at twice the resolution of a screen."""
    return bytes(vl_convert.vegalite_to_png(specification(chart), scale=2))


def height_of(entries: int) -> int:
    """Height of a chart, in pixels, beside which so many entries of a legend are whole.

    Example:
        >>> height_of(3), height_of(21)
        (280, 378)
    """
    return max(280, 18 * entries)


def value_scale(values: Iterable[float | None], metric: Metric | None = None) -> altair.Scale:
    """Scale of an axis that need not begin at zero: the range there is.

    Where all values agree, it has some room to both sides: the labels of an axis without extent lack the digits that
    tell where it is.

    Args:
        values: What the axis must show; None is nothing.
        metric: Metric in whose unit they are, if in any.

    Example:
        >>> value_scale([99.44, 99.44], ACCURACY).domain, value_scale([0.0]).domain, value_scale([1, 2]).domain
        ([99.34, 99.54], [-1.0, 1.0], [1, 2])
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if high - low > 1e-9 * abs(high):
        return altair.Scale(domain=[low, high], zero=False, nice=True)
    middle = (low + high) / 2
    digits = 2 - math.floor(math.log10(abs(middle)) + 1e-9) if middle else 0
    low, high = (round(middle + room * 10.0**-digits, digits + 4) for room in (-1, 1))
    return altair.Scale(domain=[low, min(high, 100) if metric is ACCURACY else high], zero=False, nice=True)


def task_axis(field: str, title: str, tasks: int) -> altair.X:
    """Axis of tasks, counted from 1, with room for half a task at both ends.

    Args:
        field: Field of the data that holds the numbers of tasks.
        title: Title of the axis.
        tasks: Number of tasks.
    """
    return altair.X(
        f"{field}:Q",
        title=title,
        scale=altair.Scale(domain=[0.5, tasks + 0.5], nice=False),
        axis=altair.Axis(values=labeled(tasks), format="d", grid=False, labelOverlap=False),
    )


def labeled(tasks: int) -> list[int]:
    """Tasks with a label on an axis: all of few, else the first and round numbers, so few that they fit on a phone.

    Example:
        >>> labeled(3), labeled(25)
        ([1, 2, 3], [1, 5, 10, 15, 20, 25])
    """
    every = 1 if tasks <= 15 else 5 if tasks <= 50 else 10 if tasks <= 120 else 50
    return [number for number in range(1, tasks + 1) if number == 1 or number % every == 0]


def means(values: Float64[np.ndarray, "seeds points"], metric: Metric) -> dict[str, list[Any]]:
    """Means over seeds for a chart: `value`, one standard error to either side as `low` and `high`, and as `text`."""
    mean, sem = curve(values)
    errors = np.zeros_like(mean) if sem is None else sem
    spreads = zip(mean, [None] * len(mean) if sem is None else sem, strict=True)
    return {
        "value": [in_units(value, metric) for value in mean],
        "low": [in_units(value, metric) for value in mean - errors],
        "high": [in_units(value, metric) for value in mean + errors],
        "text": [show_spread(Spread(*each), metric) for each in spreads],
    }


def in_units(value: float, metric: Metric) -> float:
    """Value in the metric's unit, with as many digits as a chart needs.

    Example:
        >>> from hypermnesia.criteria import ACCURACY
        >>> in_units(0.97541, ACCURACY)
        97.541
    """
    return round(metric.factor * value, metric.decimals + 2)
