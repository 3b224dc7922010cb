"""Accuracy against the strength of regularizers, side by side: picture and figures."""

from __future__ import annotations

from collections.abc import Iterator

import altair

from hypermnesia.analyses.strength import StrengthCurve, StrengthStudy
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.problems import ACCURACY
from hypermnesia.report.charts.chart import COLORS
from hypermnesia.report.studies.accuracy_points import Point, curves, point
from hypermnesia.report.studies.sheet import Sheet
from hypermnesia.report.studies.study_title import seeds_of, title_of

_LOOKS = {
    "right after learning a task": {"color": COLORS[4], "dash": [5, 3], "shape": "diamond"},
    "after all tasks": {"color": COLORS[0], "dash": [1, 0], "shape": "circle"},
}
_RIGHT_AFTER, _AT_END = _LOOKS


def strength_chart(study: StrengthStudy) -> altair.HConcatChart | None:
    """Average accuracy against strength, a panel for each regularizer on one axis; None if no run has finished."""
    panels = {number: points for number, curve in enumerate(study.curves) if (points := list(_points(curve)))}
    if not panels:
        return None
    lows, highs = ([each[key] for points in panels.values() for each in points] for key in ("low", "high"))
    scale = altair.Scale(domain=[min(lows), max(highs)], nice=True, zero=False)
    left = altair.Y("accuracy:Q", title="average test accuracy (%)", scale=scale)
    right = altair.Y("accuracy:Q", title=None, scale=scale, axis=altair.Axis(labels=False))
    drawn = [
        _panel(study.curves[number], points, left if place == 0 else right)
        for place, (number, points) in enumerate(panels.items())
    ]
    title = altair.TitleParams(title_of(study.base, study.seeds), subtitle=_changes(study) or altair.Undefined)
    return altair.hconcat(*drawn, spacing=24).properties(title=title)


def strength_sheet(study: StrengthStudy) -> Sheet:
    """The figures of a study, one row for each strength."""
    rows, figures = [], []
    for curve in study.curves:
        regularizer, nothing = curve.strengths.regularizer, (None, None)
        for strength, found in curve.found.items():
            accuracies = [
                show_spread(found.right_after, ACCURACY, in_units=True),
                show_spread(found.at_end, ACCURACY, in_units=True),
            ]
            name = f"{regularizer.method.label}, {regularizer.symbol} = {strength:g}"
            rows.append([name, *accuracies, seeds_of([found], study.seeds)])
            figures.append(
                {
                    "method": regularizer.method.name,
                    "setting": regularizer.place,
                    "strength": strength,
                    **dict(zip(("right_after_percent", "right_after_sem"), found.right_after or nothing, strict=True)),
                    **dict(zip(("at_end_percent", "at_end_sem"), found.at_end or nothing, strict=True)),
                    "seeds": len(found.summaries),
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
        for series, accuracy in ((_AT_END, found.at_end), (_RIGHT_AFTER, found.right_after)):
            if accuracy:
                yield point(series, strength, accuracy)


def _panel(curve: StrengthCurve, points: list[Point], y: altair.Y) -> altair.LayerChart:
    regularizer = curve.strengths.regularizer
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
    own = curve.strengths.own
    if own and ends[0] <= own <= ends[1]:
        mark = altair.Chart(altair.InlineData([{"x": own, "text": "preset"}]))
        rule = mark.mark_rule(strokeDash=[2, 3], color="#777777").encode(
            x="x:Q", tooltip=[altair.Tooltip("x:Q", title=f"{regularizer.symbol} of the preset")]
        )
        text = mark.mark_text(baseline="bottom", dy=-3, color="#777777").encode(
            x="x:Q", y=altair.value(0), text="text:N"
        )
        layers = [rule, text, *layers]
    return altair.LayerChart(layer=layers, width=300, height=260)


def _changes(study: StrengthStudy) -> list[str]:
    return [f"All ran with {' '.join(study.base.changes)}."] if study.base.changes else []


def _notes(study: StrengthStudy) -> list[str]:
    notes = [
        "Accuracy on test data, averaged over tasks: right after each was learned, and after the last. Mean ± standard "
        "error.",
        *_changes(study),
    ]
    for curve in study.curves:
        near, label = curve.near_best(), curve.strengths.regularizer.method.label
        if near:
            notes.append(
                f"{label}: {len(near)} of {len(curve.found)} strengths come within one point of its best at the end: "
                f"{', '.join(f'{strength:g}' for strength in near)}."
            )
    return notes
