"""Accuracy against the strength of a regularizer: β of the output regularizer beside λ of online EWC.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, whose appendix shows that β may differ by
orders of magnitude. The published λ lie between 100 and 1e10 (van de Ven and Tolias, Three scenarios for continual
learning, 2019).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import altair

from hypermnesia.analyses.analysis import Option, PlannedStudy, Study
from hypermnesia.analyses.sheet import Sheet, figures_of
from hypermnesia.analyses.variants import (
    Point,
    changes_of,
    check_classes,
    curves,
    mark_across,
    point,
    seeds_of,
    title_of,
)
from hypermnesia.charts.chart import COLORS, value_scale
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.base import Base
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun, grouped, over_seeds
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.learners import METHODS, Method

_LOOKS = {
    "right after learning a task": {"color": COLORS[4], "dash": [5, 3], "shape": "diamond"},
    "after all tasks": {"color": COLORS[0], "dash": [1, 0], "shape": "circle"},
}
_RIGHT_AFTER, _AT_END = _LOOKS


@dataclasses.dataclass(frozen=True)
class Regularizer:
    """Method with a regularizer, and the setting of its strength.

    Args:
        method: Method.
        symbol: Symbol of the strength.
        place: Setting that holds the strength.
        argument: Argument of the study that holds its values.
    """

    method: Method
    symbol: str
    place: str
    argument: str


REGULARIZERS = (
    Regularizer(METHODS["hnet"], "β", "learner.beta", "betas"),
    Regularizer(METHODS["online-ewc"], "λ", "learner.strength", "lambdas"),
)
"""Those that are set side by side."""


@dataclasses.dataclass(frozen=True)
class StrengthCurve:
    """Results of a regularizer by strength.

    Args:
        regularizer: Name of the regularizer.
        own: Strength that the benchmark has for the method; None if it has none.
        found: Results by strength, from the smallest.
    """

    regularizer: Regularizer
    own: float | None
    found: dict[float, Group]

    def near_best(self, points: float = 1.0) -> list[float]:
        """The strengths whose accuracy at the end is within so many percentage points of the best."""
        at_end = {strength: 100 * each.average.mean for strength, each in self.found.items() if each.average}
        return [strength for strength, accuracy in at_end.items() if accuracy >= max(at_end.values()) - points]


@dataclasses.dataclass(frozen=True)
class StrengthStudy:
    """Results of the study: accuracy by strength.

    Args:
        base: Experiment that both were compared on.
        seeds: Number of runs of each that were asked for.
        curves: Results of each regularizer.
    """

    base: Base
    seeds: int
    curves: tuple[StrengthCurve, ...]


def plan(
    base: Base, betas: Sequence[float], lambdas: Sequence[float], seeds: int = 1, data: Path | None = None
) -> PlannedStudy:
    """Runs of the study: of both regularizers at all strengths, seed by seed.

    Args:
        base: Experiment to compare them on.
        betas: Strengths of the output regularizer, above 0.
        lambdas: Strengths of online EWC, above 0.
        seeds: Number of seeds, which count from 0.
        data: Not needed for planning.

    Raises:
        ConfigurationError: A setting is for this study to decide.

    Example:
        >>> from hypermnesia.experiments.many_runs.base import base_of
        >>> [run.group for run in plan(base_of("split-mnist"), betas=[0.1], lambdas=[10.0, 1000.0]).runs]
        ['hnet-0.1', 'online-ewc-10', 'online-ewc-1000']
    """
    check_classes(base)
    for regularizer in REGULARIZERS:
        if regularizer.place in base.changes:
            raise ConfigurationError(
                f"{regularizer.place}: the strength differs from run to run; leave it out and choose "
                f"{regularizer.argument}."
            )
    planned = [_runs(base, each, values) for each, values in zip(REGULARIZERS, (betas, lambdas), strict=True)]

    def collect(outcomes: Sequence[Outcome], directory: Path) -> StrengthStudy:
        curves = [
            StrengthCurve(each, _own(base, each), {value: grouped(run.group, outcomes) for value, run in runs.items()})
            for each, runs in zip(REGULARIZERS, planned, strict=True)
        ]
        return StrengthStudy(base, seeds, tuple(curves))

    return PlannedStudy(over_seeds([run for runs in planned for run in runs.values()], seeds), collect)


def _runs(base: Base, regularizer: Regularizer, values: Sequence[float]) -> dict[float, PlannedRun]:
    """The run of each strength, from the smallest; seeds come later."""
    method, place = regularizer.method.name, regularizer.place
    return {
        float(text): PlannedRun(f"{method}-{text}", base.experiment_of(method, {place: float(text)}), (base.scenario,))
        for text in (f"{value:g}" for value in sorted(values))
    }


def _own(base: Base, regularizer: Regularizer) -> float | None:
    method = regularizer.method.name
    if method not in base.benchmark.methods:
        return None
    return float(getattr(base.experiment_of(method).learner, regularizer.place.partition(".")[2]))


def strength_chart(study: StrengthStudy) -> altair.HConcatChart | None:
    """Chart of average accuracy against strength, a panel for each regularizer; None if no run has finished."""
    panels = {number: points for number, curve in enumerate(study.curves) if (points := list(_points(curve)))}
    if not panels:
        return None
    lows, highs = ([each[key] for points in panels.values() for each in points] for key in ("low", "high"))
    scale = value_scale([*lows, *highs], ACCURACY)
    left = altair.Y("accuracy:Q", title="average test accuracy (%)", scale=scale)
    right = altair.Y("accuracy:Q", title=None, scale=scale, axis=altair.Axis(labels=False))
    drawn = [
        _panel(study.curves[number], points, left if place == 0 else right)
        for place, (number, points) in enumerate(panels.items())
    ]
    title = altair.TitleParams(title_of(study.base, study.seeds), subtitle=changes_of(study.base) or altair.Undefined)
    return altair.hconcat(*drawn, spacing=24).properties(title=title)


def strength_sheet(study: StrengthStudy) -> Sheet:
    """Table of a study, one row for each strength."""
    rows, figures = [], []
    for curve in study.curves:
        regularizer = curve.regularizer
        for strength, found in curve.found.items():
            accuracies = [show_spread(found.right_after, ACCURACY), show_spread(found.average, ACCURACY)]
            name = f"{regularizer.method.label}, {regularizer.symbol} = {strength:g}"
            rows.append([name, *accuracies, seeds_of([found], study.seeds)])
            figures.append(
                {
                    "method": regularizer.method.name,
                    "setting": regularizer.place,
                    "strength": strength,
                    **figures_of("right_after", found.right_after, ACCURACY),
                    **figures_of("at_end", found.average, ACCURACY),
                    "seeds": found.seeds,
                }
            )
    return Sheet(
        name="strength",
        title=f"Strength: {title_of(study.base, study.seeds)}",
        head=["strength", "right after (%)", "at the end (%)", "seeds"],
        rows=rows,
        notes=_notes(study),
        figures=figures,
    )


def _points(curve: StrengthCurve) -> Iterator[Point]:
    for strength, found in curve.found.items():
        for series, accuracy in ((_AT_END, found.average), (_RIGHT_AFTER, found.right_after)):
            if accuracy:
                yield point(series, strength, accuracy)


def _panel(curve: StrengthCurve, points: list[Point], y: altair.Y) -> altair.LayerChart:
    regularizer = curve.regularizer
    ends = [f({each["x"] for each in points}) for f in (min, max)]
    x = altair.X("x:Q", title=f"{regularizer.symbol} of {regularizer.method.label}").scale(
        type="log", domain=[ends[0] / 1.8, ends[1] * 1.8], nice=False
    )
    x = x.axis(
        values=[10.0**power for power in range(-30, 31)],
        labelExpr="replace(format(datum.value, '.0e'), '+', '')",
        labelOverlap="parity",
        labelSeparation=4,
    )
    layers: list[altair.Chart | altair.LayerChart] = [curves(points, _LOOKS, x, y, {"x:Q": regularizer.symbol})]
    if curve.own and ends[0] <= curve.own <= ends[1]:
        rule, text = mark_across(curve.own, "preset")
        tooltip = [altair.Tooltip("x:Q", title=f"{regularizer.symbol} of the preset")]
        layers = [rule.encode(tooltip=tooltip), text, *layers]
    return altair.LayerChart(layer=layers, width=300, height=260)


def _notes(study: StrengthStudy) -> list[str]:
    notes = [
        "Accuracy on test data, averaged over tasks: right after each was learned, and after the last. Mean ± standard "
        "error.",
        *changes_of(study.base),
    ]
    for curve in study.curves:
        near, label = curve.near_best(), curve.regularizer.method.label
        if near:
            notes.append(
                f"{label}: {len(near)} of {len(curve.found)} strengths come within one point of its best at the end: "
                f"{', '.join(f'{strength:g}' for strength in near)}."
            )
    return notes


STUDY = Study(
    name="strength",
    help="""Accuracy against β, and that of online EWC against λ.

    Shows how much it matters to choose the strength of either. Writes Markdown, CSV and a picture. Finished runs
    are reused and interrupted ones continued, so give the same command again after Ctrl-C.
    """,
    plan=plan,
    chart=strength_chart,
    sheet=strength_sheet,
    directory="strength",
    options=(
        Option(
            *("betas", "positive numbers", "1e-4,1e-3,1e-2,1e-1,1,10", "N,N"),
            "Strengths of the output regularizer.",
            most=1e12,
        ),
        Option(
            *("lambdas", "positive numbers", "1,1e1,1e2,1e3,1e4,1e5,1e6,1e7,1e8,1e9,1e10", "N,N"),
            "Strengths of online EWC.",
            most=1e15,
        ),
    ),
)
