"""A picture of several methods: what is left of the first task, and of all tasks so far, as tasks go by."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hypermnesia.experiments.compare import MethodComparison, MethodFigures
from hypermnesia.problems import Measure
from hypermnesia.report.picture import pair

# Okabe and Ito's colors, which people with and without color blindness can tell apart, without their yellow, which is
# too pale for a line.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Beyond seven methods the colors come again, with other lines and markers; these tell methods apart in gray, too.
_LINES = ("-", "--", ":")
_MARKERS = "osD^vPX<>p"
_MOST_MARKERS = 20
# Methods often agree exactly, so that the points of a task stand side by side, over so much of the way to the next.
_APART = 0.36


def method_curves_figure(comparison: MethodComparison) -> Figure | None:
    """Accuracy of the first task and average accuracy over the tasks so far, after each task.

    Lines are means over seeds, bands one standard error to either side. The legend names the methods from the best at
    the end to the worst. None if no run has finished.

    Args:
        comparison: Of any number of methods; those without a finished run are left out.
    """
    methods = [figures for figures in comparison.methods if figures.summaries]
    if not methods:
        return None
    experiment = comparison.base.experiment
    seeds = f"{comparison.seeds} seeds" if comparison.seeds > 1 else "one seed"
    figure, left, right = pair(f"{experiment.name}, {experiment.scenario}-incremental, {seeds}")
    for number, figures in enumerate(methods):
        style = {**_style(number, len(methods)), "label": figures.method.label}
        shift = _APART * ((number + 0.5) / len(methods) - 0.5)
        _curve(left, figures.first_task, shift, style)
        _curve(right, figures.average_so_far, shift, style)
    for axes, title in ((left, "the first task"), (right, "all tasks so far, averaged")):
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("tasks learned")
        axes.set_xlim(0.5, methods[0].first_task.shape[1] + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
    left.set_ylabel(comparison.measure.label)
    _legend(figure, right, methods, comparison.measure)
    return figure


def _style(number: int, methods: int) -> dict[str, Any]:
    return {
        "color": _COLORS[number % len(_COLORS)],
        "linestyle": _LINES[number // len(_COLORS) % len(_LINES)],
        "marker": _MARKERS[number % len(_MARKERS)],
        # Each is thinner than the one below it, which so remains visible.
        "linewidth": 1.2 + 1.2 * (1 - number / methods),
        "markersize": 5.5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def _curve(axes: Axes, percent: Float64[np.ndarray, "seeds tasks"], shift: float, style: dict[str, Any]) -> None:
    measured = ~np.isnan(percent).any(axis=0)
    tasks, percent = np.flatnonzero(measured) + 1 + shift, percent[:, measured]
    mean = percent.mean(axis=0)
    if len(tasks) > _MOST_MARKERS:
        style = {**style, "marker": ""}
    axes.plot(tasks, mean, **style)
    if len(percent) > 1:
        sem = percent.std(axis=0, ddof=1) / np.sqrt(len(percent))
        axes.fill_between(tasks, mean - sem, mean + sem, color=style["color"], alpha=0.2, linewidth=0)


def _legend(figure: Figure, axes: Axes, methods: list[MethodFigures], measure: Measure) -> None:
    """Beside the axes, where it hides nothing, in the order of the right ends of their curves."""
    handles, labels = axes.get_legend_handles_labels()
    order = np.argsort([-measure.sign * figures.average_so_far[:, -1].mean() for figures in methods], kind="stable")
    chosen = [handles[i] for i in order], [labels[i] for i in order]
    figure.legend(*chosen, loc="outside right center", fontsize=9, frameon=False, handlelength=3)
