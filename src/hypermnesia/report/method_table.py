"""Table of methods side by side, on a terminal, as Markdown and as CSV, and their chart."""

from __future__ import annotations

import shlex
from pathlib import Path

import altair
from rich.console import Console

from hypermnesia.analyses.sheet import Sheet, as_csv, escaped, markdown_table, print_sheet
from hypermnesia.charts.chart import png, svg
from hypermnesia.charts.method_curves import Curves, average_chart, first_task_chart
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.compare import MethodComparison, MethodFigures
from hypermnesia.files import write_formats
from hypermnesia.problems import ACCURACY
from hypermnesia.report.text import size

# Each in two lines, as a terminal shows it.
_HEADS = ("time per\nstep (ms)", "memory\nkept", "memory per\nfurther task", "trainable\nweights", "seeds\n")


def print_methods(console: Console, comparison: MethodComparison) -> None:
    """Print the table; where it is too wide, as several with some of the figures each."""
    print_sheet(console, method_sheet(comparison))


def write_methods(directory: Path, comparison: MethodComparison) -> list[Path]:
    """Write `comparison.md` and `comparison.csv`, and of what is measured `comparison.png` and `comparison.svg`.

    Args:
        directory: Directory, which must exist.
        comparison: Comparison to write.

    Returns:
        Paths of the files.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    contents = {"md": markdown(comparison).encode(), "csv": as_csv(method_sheet(comparison)).encode()}
    if chart := method_curves_chart(comparison):
        contents |= {"png": png(chart), "svg": svg(chart)}
    return write_formats(directory, "comparison", contents)


def markdown(comparison: MethodComparison) -> str:
    """Table as Markdown under a heading, the picture and the notes below."""
    sheet = method_sheet(comparison)
    head = [text.replace("\n", " ").strip() for text in sheet.head]
    notes = [escaped(note) + "  " for note in sheet.notes]
    picture = ["![Tasks going by](comparison.svg)", ""]
    drawn = any(figures.summaries for figures in comparison.methods)
    lines = [
        escaped(f"# {sheet.title}"),
        "",
        *markdown_table(head, sheet.rows),
        "",
        *(picture if drawn else []),
        *notes,
    ]
    return "\n".join([*lines, ""])


def method_sheet(comparison: MethodComparison) -> Sheet:
    """Figures of a comparison, one row for each method."""
    experiment = comparison.base.experiment
    return Sheet(
        name="comparison",
        title=f"{experiment.name}, {experiment.scenario}-incremental",
        head=["method\n", *_heads(comparison)],
        rows=[[figures.method.label, *_cells(comparison, figures)] for figures in comparison.methods],
        notes=_notes(comparison),
        figures=[_figures(comparison, figures) for figures in comparison.methods],
    )


def method_curves_chart(comparison: MethodComparison) -> altair.HConcatChart | None:
    """Chart of the accuracy on the first task and of the average accuracy over the tasks so far, after each task.

    Lines are means over seeds, bands one standard error to either side. The legend names the methods from the best at
    the end to the worst. None if no run has finished.

    Args:
        comparison: Comparison of any number of methods; those without a finished run are left out.
    """
    curves = [
        Curves(each.method.label, each.first_task, each.average_so_far) for each in comparison.methods if each.summaries
    ]
    if not curves:
        return None
    experiment = comparison.base.experiment
    seeds = f"{comparison.seeds} seeds" if comparison.seeds > 1 else "one seed"
    title = f"{experiment.name}, {experiment.scenario}-incremental, {seeds}"
    left = first_task_chart(curves, comparison.metric).properties(title="the first task", width=330)
    right = average_chart(curves, comparison.metric).properties(title="all tasks so far, averaged", width=330)
    return altair.HConcatChart(hconcat=[left, right], title=title, resolve=altair.Resolve(scale={"y": "shared"}))


def _figures(comparison: MethodComparison, figures: MethodFigures) -> dict[str, str | float | None]:
    """What the CSV file has of a method."""
    name, unit = comparison.metric.name, "_percent" if comparison.metric is ACCURACY else ""
    (average, average_sem), (forgetting, forgetting_sem) = (
        spread or (None, None) for spread in (figures.average, figures.forgetting)
    )
    return {
        "method": figures.method.name,
        "label": figures.method.label,
        "scenario": comparison.base.experiment.scenario,
        f"{name}{unit}": average,
        f"{name}_sem": average_sem,
        f"forgetting{unit}": forgetting,
        "forgetting_sem": forgetting_sem,
        "milliseconds_per_step": figures.milliseconds,
        "memory_bytes": figures.memory,
        "memory_bytes_per_further_task": figures.memory_per_task,
        "num_weights": figures.num_weights,
        "seeds": len(figures.summaries),
        "preset": figures.preset,
        "settings": shlex.join(figures.settings),
    }


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
