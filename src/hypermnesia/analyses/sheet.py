"""Tables of figures: on a terminal, as Markdown and as CSV, with their picture."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import altair
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from hypermnesia.charts.chart import png, svg
from hypermnesia.criteria import Metric
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.files import write_formats

Column = TypeVar("Column")

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_|<"})


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Table of figures with a title and notes.

    Args:
        name: Name of its files.
        title: Title on top.
        head: Texts at the head of the columns, of one line or more; the first column names the rows.
        rows: Texts of the cells.
        notes: Sentences below.
        figures: Unrounded figures of each row, all with the same keys; None where there is nothing.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    figures: Sequence[Mapping[str, str | float | None]]


def figures_of(name: str, figure: Spread | None, metric: Metric) -> dict[str, float | None]:
    """Unrounded mean and standard error in the metric's unit, by the names of their columns.

    Example:
        >>> from hypermnesia.criteria import ACCURACY
        >>> figures_of("accuracy", Spread(0.75, None), ACCURACY)
        {'accuracy_percent': 75.0, 'accuracy_sem': None}
    """
    mean, sem = (None if value is None else metric.factor * value for value in figure or (None, None))
    return {f"{name}_percent" if metric.unit else name: mean, f"{name}_sem": sem}


def print_sheet(console: Console, sheet: Sheet) -> None:
    """Print the table and its notes."""
    print_table(console, sheet.head, sheet.rows)
    for note in sheet.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def write_sheet(directory: Path, sheet: Sheet, chart: altair.TopLevelMixin | None) -> list[Path]:
    """Write NAME.md and NAME.csv, and of the chart NAME.svg and NAME.png.

    Args:
        directory: Directory, which must exist.
        sheet: Table to write.
        chart: Its chart; None where nothing has been measured yet.

    Returns:
        Paths of the files.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    contents = {"md": markdown(sheet, drawn=chart is not None).encode(), "csv": as_csv(sheet).encode()}
    if chart is not None:
        contents |= {"svg": svg(chart), "png": png(chart)}
    return write_formats(directory, sheet.name, contents)


def markdown(sheet: Sheet, *, drawn: bool) -> str:
    """Sheet as Markdown: title, picture where there is one, table and notes."""
    picture = [f"![{sheet.title}]({sheet.name}.svg)", ""] if drawn else []
    table = markdown_table([text.replace("\n", " ").strip() for text in sheet.head], sheet.rows)
    notes = [escaped(note) + "  " for note in sheet.notes]
    return "\n".join([escaped(f"# {sheet.title}"), "", *picture, *table, "", *notes, ""])


def as_csv(sheet: Sheet) -> str:
    """Unrounded figures as CSV, a line for each row; empty where there is nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(sheet.figures[0]) if sheet.figures else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(sheet.figures)
    return text.getvalue()


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is.

    Example:
        >>> print(escaped("num_tasks=2"))
        num\_tasks=2
    """
    return text.translate(_SPECIAL)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> list[str]:
    """Lines of a table in Markdown.

    Args:
        head: Texts at the head of the columns.
        rows: Texts of the cells, shown as they are.
        names: Number of columns at the left that hold names; columns of figures, right of them, are set flush right.

    Example:
        >>> markdown_table(["method", "accuracy"], [["ER", "97.50"]])
        ['| method | accuracy |', '| --- | ---: |', '| ER | 97.50 |']
    """
    rule = ["---"] * names + ["---:"] * (len(head) - names)
    return ["| " + " | ".join(map(escaped, row)) + " |" for row in (head, rule, *rows)]


def print_table(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; where it is too wide, as several with some of the columns each, named by the first column.

    Args:
        console: Console to print on.
        head: Texts at the head of the columns.
        rows: Texts of the cells.
    """
    for part in in_parts(console, range(1, len(head)), lambda columns: _table(head, rows, columns)):
        console.print(part)


def in_parts(
    console: Console, columns: Iterable[Column], table: Callable[[Sequence[Column]], Table]
) -> Iterator[Table]:
    """Tables of some columns each, as few as fit on the console.

    Args:
        console: Console whose width counts.
        columns: Columns that are to be shown.
        table: Function from some of them to their table.
    """
    unbounded = console.options.update(max_width=10_000)
    chosen: list[Column] = []
    for column in columns:
        wider = table([*chosen, column])
        if chosen and Measurement.get(console, unbounded, wider).maximum > console.width:
            yield table(chosen)
            chosen = []
        chosen.append(column)
    yield table(chosen)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column(Text(head[0]))  # Text, in which brackets are no markup
    for column in columns:
        table.add_column(Text(head[column]), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(Text(row[0]), *(Text(row[column]) for column in columns))
    return table
