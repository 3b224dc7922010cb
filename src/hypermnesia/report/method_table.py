"""Methods side by side: on a terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from hypermnesia.experiments.compare import MethodComparison, MethodFigures
from hypermnesia.experiments.spread import Spread
from hypermnesia.problems import ACCURACY
from hypermnesia.report.units import size

_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_|<"})
# Each in two lines, as a terminal shows it.
_HEADS = ("time per\nstep (ms)", "memory\nkept", "memory per\nfurther task", "trainable\nweights", "seeds\n")


def print_methods(console: Console, comparison: MethodComparison) -> None:
    """Print the table; where it is too wide, as several with some of the figures each."""
    for table in _fitting(console, comparison):
        console.print(table)
    for note in _notes(comparison):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def write_methods(directory: Path, comparison: MethodComparison) -> list[Path]:
    """Write `comparison.md` and `comparison.csv`, and of what is measured `comparison.png` and `comparison.svg`.

    Args:
        directory: Must exist.
        comparison: What to write.

    Returns:
        Their paths.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    # Both take their time.
    from hypermnesia.report.chart import png, svg
    from hypermnesia.report.method_curves import method_curves_chart
    from hypermnesia.training.checkpoint import write_atomically

    contents = {"md": markdown(comparison).encode(), "csv": as_csv(comparison).encode()}
    if chart := method_curves_chart(comparison):
        contents |= {"png": png(chart), "svg": svg(chart)}
    paths = [directory / f"comparison.{ending}" for ending in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        write_atomically(path, content)
    return paths


def markdown(comparison: MethodComparison) -> str:
    """The table as Markdown under a heading, the picture and the notes below."""
    heads = _heads(comparison)
    rows = [
        ["method", *(head.replace("\n", " ").strip() for head in heads)],
        ["---", *["---:"] * len(heads)],
    ]
    rows += [[figures.method.label, *_cells(comparison, figures)] for figures in comparison.methods]
    lines = ["| " + " | ".join(cell.translate(_MARKDOWN) for cell in row) + " |" for row in rows]
    experiment = comparison.base.experiment
    title = f"# {experiment.name}, {experiment.scenario}-incremental".translate(_MARKDOWN)
    notes = [note.translate(_MARKDOWN) + "  " for note in _notes(comparison)]
    picture = ["![Tasks going by](comparison.svg)", ""]
    drawn = any(figures.summaries for figures in comparison.methods)
    return "\n".join([title, "", *lines, "", *(picture if drawn else []), *notes, ""])


def as_csv(comparison: MethodComparison) -> str:
    """One line for each method; unrounded, empty where there is nothing."""
    name, unit = comparison.measure.name, "_percent" if comparison.measure is ACCURACY else ""
    measured = f"{name}{unit}"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("method", "label", "scenario", measured, f"{name}_sem", f"forgetting{unit}"),
            *("forgetting_sem", "milliseconds_per_step", "memory_bytes", "memory_bytes_per_further_task"),
            *("num_weights", "seeds", "preset", "settings"),
        ]
    )
    for figures in comparison.methods:
        method, nothing = figures.method, (None, None)
        writer.writerow(
            [
                *(method.name, method.label, comparison.base.experiment.scenario),
                *(figures.average or nothing),
                *(figures.forgetting or nothing),
                *(figures.milliseconds, figures.memory, figures.memory_per_task, figures.num_weights),
                *(len(figures.summaries), figures.preset, shlex.join(figures.settings)),
            ]
        )
    return text.getvalue()


def _fitting(console: Console, comparison: MethodComparison) -> Iterator[Table]:
    """The table in as few parts as fit on the console."""
    unbounded = console.options.update(max_width=10_000)
    columns: list[int] = []
    for column in range(len(_heads(comparison))):
        wider = _table(comparison, [*columns, column])
        if columns and Measurement.get(console, unbounded, wider).maximum > console.width:
            yield _table(comparison, columns)
            columns = []
        columns.append(column)
    yield _table(comparison, columns)


def _table(comparison: MethodComparison, columns: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("method\n")
    for column in columns:
        table.add_column(_heads(comparison)[column], justify="right", no_wrap=True)
    for figures in comparison.methods:
        cells = _cells(comparison, figures)
        table.add_row(figures.method.label, *(cells[column] for column in columns))
    return table


def _cells(comparison: MethodComparison, figures: MethodFigures) -> list[str]:
    """The texts of a method's row, below its heads."""
    number, wanted = len(figures.summaries), comparison.seeds
    decimals = comparison.measure.decimals
    return [
        _spread(figures.average, decimals),
        _spread(figures.forgetting, decimals),
        "" if figures.milliseconds is None else f"{figures.milliseconds:.2f}",
        size(figures.memory),
        size(figures.memory_per_task),
        "" if figures.num_weights is None else f"{figures.num_weights:,.0f}",
        f"{number}" if number == wanted else f"{number} of {wanted}",
    ]


def _heads(comparison: MethodComparison) -> list[str]:
    unit = comparison.measure.unit.strip()
    behind = f"\n({unit})" if unit else "\n"
    return [f"{comparison.measure.name}{behind}", f"forgetting{behind}", *_HEADS]


def _spread(figure: Spread | None, decimals: int) -> str:
    if figure is None:
        return ""
    return f"{figure.mean:.{decimals}f}" + ("" if figure.sem is None else f" ± {figure.sem:.{decimals}f}")


def _notes(comparison: MethodComparison) -> list[str]:
    experiment = comparison.base.experiment
    notes = [
        f"Test {comparison.measure.name} after the last task, averaged over all tasks,"
        f" {experiment.scenario}-incremental; "
        f"forgetting: how far tasks have fallen from their best; mean ± standard error over seeds.",
        "Time: of learning, what is done at the end of a task included. Memory: all that is kept for the next task, "
        "weights and data included.",
    ]
    if untuned := [figures.method.label for figures in comparison.methods if not figures.tuned]:
        notes.append(
            f"With default settings, not chosen for these tasks: {', '.join(untuned)}. Chosen ones may do better."
        )
    if comparison.changes:
        notes.append(f"All ran with {' '.join(comparison.changes)}.")
    if comparison.left_out:
        notes.append(f"Left out: {'; '.join(comparison.left_out)}.")
    return notes
