"""The report's figures as files fit for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypermnesia.files import write_atomically
from hypermnesia.report.charts.chart import pdf, svg
from hypermnesia.report.page.section import Figure


def write_figures(directory: Path, figures: Sequence[Figure]) -> list[Path]:
    """Write `NAME.svg` and `NAME.pdf` for each figure; returns their paths.

    Args:
        directory: Must exist.
        figures: Each with a name of its own.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    paths = []
    for figure in figures:
        for ending, draw in (("svg", svg), ("pdf", pdf)):
            path = directory / f"{figure.name}.{ending}"
            write_atomically(path, draw(figure.chart))
            paths.append(path)
    return paths
