"""A table on a terminal that may be too narrow for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


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
