"""Variants of an experiment, whose accuracies a study compares: their runs, results and curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation import statistics
from hypermnesia.evaluation.statistics import Spread, show_spread
from hypermnesia.experiments.many_runs.methods import Base
from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun, check
from hypermnesia.problems import ACCURACY, CLASSIFICATION

_FIGURES = ("average_accuracy", "learning_accuracy", "num_weights")
Point = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Variant:
    """Variant of an experiment, up to the seed.

    Args:
        name: Name of its run directories, without `-seedN`.
        preset: Preset or file to run.
        settings: Settings that differ from that.
    """

    name: str
    preset: str
    settings: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Found:
    """Results of the runs of a variant.

    Args:
        summaries: Summaries of its finished runs, by seed.

    Example:
        >>> found = Found(({"average_accuracy": 0.9, "learning_accuracy": 0.975, "num_weights": 9},))
        >>> found.at_end, found.right_after
        (Spread(mean=90.0, sem=None), Spread(mean=97.5, sem=None))
    """

    summaries: tuple[Mapping[str, Any], ...]

    @property
    def at_end(self) -> Spread | None:
        """Average accuracy after the last task, in percent; None if no run finished, as for all others."""
        return statistics.spread([100 * summary["average_accuracy"] for summary in self.summaries])

    @property
    def right_after(self) -> Spread | None:
        """Average accuracy on each task right after it was learned, in percent."""
        return statistics.spread([100 * summary["learning_accuracy"] for summary in self.summaries])

    @property
    def num_weights(self) -> int | None:
        """Number of weights trained and kept, those of all tasks included."""
        return self.summaries[0]["num_weights"] if self.summaries else None


def check_classes(base: Base) -> None:
    """Refuse an experiment with regression tasks, as accuracies are compared.

    Raises:
        ConfigurationError: Its tasks are regression tasks.
    """
    if base.experiment.problem is not CLASSIFICATION:
        raise ConfigurationError(
            f"{base.source} has regression tasks; accuracies are of classification, as in split-digits."
        )


def plan_runs(variants: Iterable[Variant], scenario: str, seeds: int = 1) -> list[PlannedRun]:
    """Runs that variants take, seed by seed.

    Args:
        variants: Variants, each with a name of its own.
        scenario: Scenario in which their accuracy is wanted.
        seeds: Number of seeds, which count from 0.

    Raises:
        ConfigurationError: Settings cannot be run.

    Example:
        >>> small = Variant("small", "split-digits", ("network.hidden=[8]",))
        >>> [run.name for run in plan_runs([small], "task", seeds=2)]
        ['small-seed0', 'small-seed1']
    """
    runs = [
        PlannedRun(variant.name, variant.preset, variant.settings, (scenario,), seed, _FIGURES)
        for seed in range(seeds)
        for variant in variants
    ]
    check(runs)
    return runs


def collect(variant: Variant, outcomes: Sequence[Outcome]) -> Found:
    """Results of the runs of a variant; those that did not finish are passed over."""
    finished = sorted(
        (outcome for outcome in outcomes if outcome.run.group == variant.name and outcome.summary),
        key=lambda outcome: outcome.run.seed,
    )
    return Found(tuple(outcome.summary for outcome in finished))


def title_of(base: Base, seeds: int) -> str:
    """Title of a chart: experiment, scenario and number of seeds."""
    number = f"{seeds} seeds" if seeds > 1 else "one seed"
    return f"{base.experiment.name}, {base.experiment.scenario}-incremental, {number}"


def seeds_of(found: Sequence[Found], wanted: int) -> str:
    """Smallest number of finished seeds as text, with the number asked for if that is more.

    Example:
        >>> seeds_of([Found(({}, {})), Found(({},))], wanted=2)
        '1 of 2'
    """
    number = min(len(each.summaries) for each in found)
    return f"{number}" if number == wanted else f"{number} of {wanted}"


def point(series: str, x: float, accuracy: Spread, **told: str) -> Point:
    """Point of a curve.

    Args:
        series: Name of the curve that it belongs to.
        x: Position, above 0.
        accuracy: Accuracy in percent.
        told: Further texts of its tooltip, by field.
    """
    error = accuracy.sem or 0.0
    low, high = max(0.0, accuracy.mean - error), min(100.0, accuracy.mean + error)
    return {
        "series": series,
        "x": x,
        "accuracy": accuracy.mean,
        "low": low,
        "high": high,
        "text": show_spread(accuracy, ACCURACY, in_units=True),
        **told,
    }


def curves(
    points: Sequence[Point],
    looks: Mapping[str, Mapping[str, Any]],
    x: altair.X,
    y: altair.Y,
    told: Mapping[str, str],
) -> altair.LayerChart:
    """Chart with a line for each series, a mark for each point, and one standard error to either side.

    Args:
        points: Points made by :func:`point`.
        looks: `color`, `dash` and `shape` of each series, in the order of the legend.
        x: Axis of the field `x`.
        y: Axis of the field `accuracy`.
        told: Titles of further texts in tooltips, by field.
    """
    scales = {
        key: altair.Scale(domain=list(looks), range=[look[key] for look in looks.values()])
        for key in ("color", "dash", "shape")
    }
    legend = altair.Legend(title=None, orient="top", columns=1, labelLimit=0, symbolSize=70, symbolStrokeWidth=0)
    color = altair.Color("series:N", scale=scales["color"], legend=legend)
    base = altair.Chart(altair.InlineData(list(points))).encode(x=x, color=color)
    lines = base.mark_line(strokeWidth=1.8).encode(
        y=y, strokeDash=altair.StrokeDash("series:N", scale=scales["dash"], legend=legend)
    )
    errors = base.mark_rule(strokeWidth=1.2).encode(y=altair.Y("low:Q"), y2="high:Q")
    marks = base.mark_point(size=60, filled=True, opacity=1, stroke="white", strokeWidth=0.7).encode(
        y=y,
        shape=altair.Shape("series:N", scale=scales["shape"], legend=legend),
        tooltip=[
            altair.Tooltip("series:N", title="series"),
            *(altair.Tooltip(field, title=title) for field, title in told.items()),
            altair.Tooltip("text:N", title="test accuracy (%)"),
        ],
    )
    return altair.LayerChart(layer=[errors, lines, marks])
