"""Table of methods side by side, on a terminal, as Markdown and as CSV, and their chart."""

from __future__ import annotations

from pathlib import Path

import altair
from rich.console import Console

from hypermnesia.analyses.sheet import Sheet, as_csv, escaped, figures_of, markdown_table, print_sheet
from hypermnesia.charts.chart import png, svg
from hypermnesia.charts.method_curves import average_chart, curves_of, first_task_chart
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.compare import MethodComparison
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.settings.sources import inline
from hypermnesia.files import write_formats
from hypermnesia.learners import Method
from hypermnesia.report.text import number, size

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
    drawn = any(group.runs for group in comparison.found.values())
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
        rows=[[method.label, *_cells(comparison, group)] for method, group in comparison.found.items()],
        notes=_notes(comparison),
        figures=[_figures(comparison, method, group) for method, group in comparison.found.items()],
    )


def method_curves_chart(comparison: MethodComparison) -> altair.HConcatChart | None:
    """Chart of the accuracy on the first task and of the average accuracy over the tasks so far, after each task.

    Lines are means over seeds, bands one standard error to either side. The legend names the methods from the best at
    the end to the worst. None if no run has finished.

    Args:
        comparison: Comparison of any number of methods; those without a finished run are left out.
    """
    curves = [curves_of(method.label, group) for method, group in comparison.found.items() if group.runs]
    if not curves:
        return None
    experiment = comparison.base.experiment
    seeds = f"{comparison.seeds} seeds" if comparison.seeds > 1 else "one seed"
    title = f"{experiment.name}, {experiment.scenario}-incremental, {seeds}"
    left = first_task_chart(curves, comparison.metric).properties(title="the first task", width=330)
    right = average_chart(curves, comparison.metric).properties(title="all tasks so far, averaged", width=330)
    return altair.HConcatChart(hconcat=[left, right], title=title, resolve=altair.Resolve(scale={"y": "shared"}))


def _figures(comparison: MethodComparison, method: Method, group: Group) -> dict[str, str | float | None]:
    """What the CSV file has of a method."""
    base, metric = comparison.base, comparison.metric
    return {
        "method": method.name,
        "label": method.label,
        "scenario": base.scenario,
        **figures_of(metric.name, group.average, metric),
        **figures_of("forgetting", group.forgetting, metric),
        "milliseconds_per_step": group.milliseconds_per_step,
        "memory_bytes": group.memory_bytes[-1] if group.memory_bytes else None,
        "memory_bytes_per_further_task": group.memory_per_task,
        "num_weights": group.figure("num_weights"),
        "seeds": group.seeds,
        "benchmark": base.source,
        "settings": " ".join(f"{place}={inline(value)}" for place, value in base.changes.items()),
    }


def _cells(comparison: MethodComparison, group: Group) -> list[str]:
    """The texts of a method's row, below its heads."""
    return [
        show_spread(group.average, comparison.metric),
        show_spread(group.forgetting, comparison.metric),
        number(group.milliseconds_per_step, ".2f"),
        size(group.memory_bytes[-1] if group.memory_bytes else None),
        size(group.memory_per_task),
        number(group.figure("num_weights"), ",.0f"),
        f"{group.seeds}" if group.seeds == comparison.seeds else f"{group.seeds} of {comparison.seeds}",
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
    if untuned := ", ".join(method.label for method in comparison.untuned):
        notes.append(f"With default settings, not chosen for these tasks: {untuned}. Chosen ones may do better.")
    if changed := comparison.base.changed:
        notes.append(f"All ran with {' '.join(changed)}.")
    if comparison.left_out:
        notes.append(f"Left out: {'; '.join(comparison.left_out)}.")
    return notes
