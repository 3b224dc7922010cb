"""A figure with empty axes, and a finished one as a PNG file."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def diagram(title: str) -> tuple[Figure, Axes]:
    """A new figure, that needs no display, and in it axes under a title."""
    figure = Figure(layout="constrained", figsize=(6.4, 5.4), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11, wrap=True)
    return figure, axes


def png(figure: Figure) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
