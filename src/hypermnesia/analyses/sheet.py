"""Figures of a study: on a terminal, as Markdown and as CSV, with their picture."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from hypermnesia.files import write_formats

if TYPE_CHECKING:
    import altair
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_|<"})


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
    from hypermnesia.charts.chart import png, svg

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


def escaped(text: str) -> str:
    r"""The text, so that Markdown shows it as it is.

    Example:
        >>> print(escaped("num_tasks=2"))
        num\_tasks=2
    """
    return text.translate(_SPECIAL)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> list[str]:
    """The lines of a table.

    Args:
        head: Of each column.
        rows: Of texts, shown as they are.
        names: Columns at the left that hold names; those of figures, right of them, are set flush right.

    Example:
        >>> markdown_table(["method", "accuracy"], [["ER", "97.50"]])
        ['| method | accuracy |', '| --- | ---: |', '| ER | 97.50 |']
    """
    rule = ["---"] * names + ["---:"] * (len(head) - names)
    return ["| " + " | ".join(map(escaped, row)) + " |" for row in (head, rule, *rows)]


def print_table(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; where it is too wide, as several with some of the columns each, named by the first column.

    Args:
        console: Where to.
        head: Of each column.
        rows: Texts, a cell for each column.
    """
    for columns in _fitting(console, head, rows):
        console.print(_table(head, rows, columns))


def _fitting(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[list[int]]:
    """The columns after the first in as few parts as fit on the console."""
    unbounded = console.options.update(max_width=10_000)
    columns: list[int] = []
    for column in range(1, len(head)):
        wider = _table(head, rows, [*columns, column])
        if columns and Measurement.get(console, unbounded, wider).maximum > console.width:
            yield columns
            columns = []
        columns.append(column)
    yield columns


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column(head[0])
    for column in columns:
        table.add_column(head[column], justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row[0], *(row[column] for column in columns))
    return table
