"""Table of methods side by side, and their chart."""

from __future__ import annotations

import altair

from hypermnesia.analyses.sheet import Sheet, figures_of
from hypermnesia.analyses.variants import changes_of, seeds_of, title_of
from hypermnesia.charts.method_curves import average_chart, first_task_chart
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.compare import MethodComparison
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.settings.sources import inline
from hypermnesia.learners import Method
from hypermnesia.report.text import number, size

# Each in two lines, as a terminal shows it.
_HEADS = ("time per\nstep (ms)", "memory\nkept", "memory per\nfurther task", "trainable\nweights", "seeds\n")


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
    curves = {method.label: group for method, group in comparison.found.items() if group.runs}
    if not curves:
        return None
    title = title_of(comparison.base, comparison.seeds)
    left = first_task_chart(curves, comparison.metric).properties(title="the first task", width=330)
    right = average_chart(curves, comparison.metric).properties(title="all tasks so far, averaged", width=330)
    return altair.HConcatChart(hconcat=[left, right], title=title, resolve=altair.Resolve(scale={"y": "shared"}))


def _figures(comparison: MethodComparison, method: Method, group: Group) -> dict[str, str | float | None]:
    """Row of the CSV file for a method."""
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
        seeds_of([group], comparison.seeds),
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
        "weights and data included, but no values that the network brought along and keeps.",
    ]
    if untuned := ", ".join(method.label for method in comparison.untuned):
        notes.append(f"With default settings, not chosen for these tasks: {untuned}. Chosen ones may do better.")
    notes += changes_of(comparison.base)
    if comparison.left_out:
        notes.append(f"Left out: {'; '.join(comparison.left_out)}.")
    return notes
