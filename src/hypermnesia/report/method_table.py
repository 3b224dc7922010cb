"""Methods side by side: on a terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path

from rich.console import Console

from hypermnesia.analyses.sheet import escaped, markdown_table, print_table
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.compare import MethodComparison, MethodFigures
from hypermnesia.files import write_formats
from hypermnesia.problems import ACCURACY
from hypermnesia.report.text import size

# Each in two lines, as a terminal shows it.
_HEADS = ("time per\nstep (ms)", "memory\nkept", "memory per\nfurther task", "trainable\nweights", "seeds\n")


def print_methods(console: Console, comparison: MethodComparison) -> None:
    """Print the table; where it is too wide, as several with some of the figures each."""
    rows = [[figures.method.label, *_cells(comparison, figures)] for figures in comparison.methods]
    print_table(console, ["method\n", *_heads(comparison)], rows)
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
    from hypermnesia.charts.chart import png, svg
    from hypermnesia.charts.method_curves import method_curves_chart

    contents = {"md": markdown(comparison).encode(), "csv": as_csv(comparison).encode()}
    if chart := method_curves_chart(comparison):
        contents |= {"png": png(chart), "svg": svg(chart)}
    return write_formats(directory, "comparison", contents)


def markdown(comparison: MethodComparison) -> str:
    """The table as Markdown under a heading, the picture and the notes below."""
    head = ["method", *(head.replace("\n", " ").strip() for head in _heads(comparison))]
    rows = [[figures.method.label, *_cells(comparison, figures)] for figures in comparison.methods]
    experiment = comparison.base.experiment
    title = escaped(f"# {experiment.name}, {experiment.scenario}-incremental")
    notes = [escaped(note) + "  " for note in _notes(comparison)]
    picture = ["![Tasks going by](comparison.svg)", ""]
    drawn = any(figures.summaries for figures in comparison.methods)
    return "\n".join([title, "", *markdown_table(head, rows), "", *(picture if drawn else []), *notes, ""])


def as_csv(comparison: MethodComparison) -> str:
    """One line for each method; unrounded, empty where there is nothing."""
    name, unit = comparison.metric.name, "_percent" if comparison.metric is ACCURACY else ""
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


def _cells(comparison: MethodComparison, figures: MethodFigures) -> list[str]:
    """The texts of a method's row, below its heads."""
    number, wanted = len(figures.summaries), comparison.seeds
    return [
        show_spread(figures.average, comparison.metric, in_units=True),
        show_spread(figures.forgetting, comparison.metric, in_units=True),
        "" if figures.milliseconds is None else f"{figures.milliseconds:.2f}",
        size(figures.memory),
        size(figures.memory_per_task),
        "" if figures.num_weights is None else f"{figures.num_weights:,.0f}",
        f"{number}" if number == wanted else f"{number} of {wanted}",
    ]


def _heads(comparison: MethodComparison) -> list[str]:
    unit = comparison.metric.unit.strip()
    behind = f"\n({unit})" if unit else "\n"
    return [f"{comparison.metric.name}{behind}", f"forgetting{behind}", *_HEADS]


def _notes(comparison: MethodComparison) -> list[str]:
    experiment = comparison.base.experiment
    notes = [
        f"Test {comparison.metric.name} after the last task, averaged over all tasks,"
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
