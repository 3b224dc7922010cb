"""A figure with empty axes, and a finished one as a file."""

from __future__ import annotations

import io

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def diagram(title: str) -> tuple[Figure, Axes]:
    """A new figure, that needs no display, and in it axes under a title."""
    figure = _figure(6.4, 5.4)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11, wrap=True)
    return figure, axes


def pair(title: str) -> tuple[Figure, Axes, Axes]:
    """A new figure, that needs no display, and in it two axes side by side, with room for a legend at their right."""
    figure = _figure(10.5, 4.4)
    figure.suptitle(title, fontsize=11)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    return figure, left, right


def png(figure: Figure) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def svg(figure: Figure) -> bytes:
    """The picture as the bytes of an SVG file, the same each time."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "hypermnesia"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _figure(width: float, height: float) -> Figure:
    figure = Figure(layout="constrained", figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    return figure
