"""Figures of a study: on a terminal, as Markdown and as CSV, with their picture."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from hypermnesia.files import write_formats
from hypermnesia.report.markdown import escaped, markdown_table
from hypermnesia.report.terminal.wide_table import print_table

if TYPE_CHECKING:
    import altair


@dataclasses.dataclass(frozen=True)
class Sheet:
    """What is said about a study beside its picture.

    Args:
        name: Of its files.
        title: On top.
        head: Of each column; the first one names the row.
        rows: Texts, a cell for each column.
        notes: Sentences below.
        figures: The same unrounded, a line for each row; None where there is nothing. All have the same keys.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    figures: Sequence[Mapping[str, str | float | None]]


def print_sheet(console: Console, sheet: Sheet) -> None:
    """Print the table and its notes."""
    print_table(console, sheet.head, sheet.rows)
    for note in sheet.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def write_sheet(directory: Path, sheet: Sheet, chart: altair.TopLevelMixin | None) -> list[Path]:
    """Write NAME.md and NAME.csv, and of the chart NAME.svg and NAME.png.

    Args:
        directory: Must exist.
        sheet: What to write.
        chart: Its picture; None where nothing has been measured yet.

    Returns:
        Their paths.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    from hypermnesia.report.charts.chart import png, svg

    contents = {"md": markdown(sheet, drawn=chart is not None).encode(), "csv": as_csv(sheet).encode()}
    if chart is not None:
        contents |= {"svg": svg(chart), "png": png(chart)}
    return write_formats(directory, sheet.name, contents)


def markdown(sheet: Sheet, *, drawn: bool) -> str:
    """Title, picture where there is one, table and notes."""
    picture = [f"![{sheet.title}]({sheet.name}.svg)", ""] if drawn else []
    table = markdown_table(sheet.head, sheet.rows)
    notes = [escaped(note) + "  " for note in sheet.notes]
    return "\n".join([escaped(f"# {sheet.title}"), "", *picture, *table, "", *notes, ""])


def as_csv(sheet: Sheet) -> str:
    """One line for each row; empty where there is nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(sheet.figures[0]) if sheet.figures else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(sheet.figures)
    return text.getvalue()
