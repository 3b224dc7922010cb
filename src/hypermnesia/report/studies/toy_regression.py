"""Functions of one variable as each method remembers them: picture and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import altair

from hypermnesia.analyses.toy_regression import Curve, Remembered, ToyRegression
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.problems import ERROR
from hypermnesia.report.charts.chart import COLORS
from hypermnesia.report.studies.sheet import Sheet

_TRUTH, _ANSWER = "the function", "what is answered"
_COLUMNS, _WIDTH, _HEIGHT = 3, 230, 150
_DECIMALS = 4


def toy_regression_chart(result: ToyRegression) -> altair.VConcatChart | None:
    """For each method what it answers, over the functions themselves; None if no run has finished.

    Args:
        result: Of any number of functions of one variable.
    """
    panels = [_panel(each, result) for each in result.remembered if each.curves]
    if not panels:
        return None
    rows = [altair.hconcat(*panels[start : start + _COLUMNS]) for start in range(0, len(panels), _COLUMNS)]
    title = altair.TitleParams(
        f"{result.base.experiment.name}: {len(result.functions)} functions, learned one after another, at the end",
        subtitle=["Mean squared error in parentheses, of seed 0. Answers outside of the frame are cut off."],
    )
    return altair.vconcat(*rows, spacing=28).properties(title=title)


def toy_regression_sheet(result: ToyRegression) -> Sheet:
    """Mean squared errors after the last function, one row for each method."""
    numbers = range(1, len(result.functions) + 1)
    rows, figures = [], []
    for each in result.remembered:
        spreads = [*(each.error_of_each or [None] * len(result.functions)), each.average]
        told = "told" if each.scenario == "task" else "from the input"
        rows.append([each.method.label, told, *(show_spread(s, ERROR) for s in spreads), f"{len(each.errors)}"])
        names = [*(f"error_{number}" for number in numbers), "average_error"]
        figures.append(
            {
                "method": each.method.name,
                "scenario": each.scenario,
                **{name: s.mean if s else None for name, s in zip(names, spreads, strict=True)},
                **{f"{name}_sem": s.sem if s else None for name, s in zip(names, spreads, strict=True)},
                "seeds": float(len(each.errors)),
            }
        )
    if result.published:
        errors = [f"{error:.{_DECIMALS}f}" for error in result.published]
        average = sum(result.published) / len(result.published)
        rows.append(["HNET, published", "told", *errors, f"{average:.{_DECIMALS}f}", ""])
    changed = [f"All ran with {' '.join(result.base.changes)}."] if result.base.changes else []
    return Sheet(
        name="toy-regression",
        title=f"{result.base.experiment.name}: what is left of each function",
        head=["method", "function", *(f"error {number}" for number in numbers), "average", "seeds"],
        rows=rows,
        notes=[
            "Mean squared error on noiseless test data after the last function, mean ± standard error over seeds. "
            "Function: whether the method is told which one is asked, or has to see it from the input.",
            *changed,
        ],
        figures=figures,
    )


def _panel(each: Remembered, result: ToyRegression) -> altair.LayerChart:
    rows = [*_rows(result.functions, _TRUTH), *_rows(each.curves, _ANSWER)]
    values = [y for curve in result.functions for y in curve.y]
    margin = 0.25 * (max(values) - min(values))
    lines = (
        altair.Chart(altair.InlineData(rows))
        .mark_line(clip=True)
        .encode(
            x=altair.X("x:Q", title="x", scale=altair.Scale(nice=False, zero=False)),
            y=altair.Y(
                "y:Q",
                title="y",
                scale=altair.Scale(domain=[min(values) - margin, max(values) + margin], nice=False),
                axis=altair.Axis(tickCount=5),
            ),
            detail="function:N",
            color=altair.Color("series:N", title=None, scale=_looks("#888888", COLORS[0]), legend=_legend()),
            strokeDash=altair.StrokeDash("series:N", title=None, scale=_looks([5, 3], [1, 0])),
            strokeWidth=altair.StrokeWidth("series:N", title=None, scale=_looks(3, 2)),
            tooltip=[
                *("series:N", "function:N"),
                altair.Tooltip("x:Q", format=".2f"),
                altair.Tooltip("y:Q", format=".4f"),
            ],
        )
    )
    error = sum(each.errors[0]) / len(each.errors[0])
    told = "" if each.scenario == "task" else ", from the input alone"
    title = altair.TitleParams([f"{each.method.label}{told}", f"({error:.{_DECIMALS}f})"], fontSize=12)
    return altair.LayerChart(layer=[lines], title=title, width=_WIDTH, height=_HEIGHT)


def _looks(of_truth: Any, of_answer: Any) -> altair.Scale:
    return altair.Scale(domain=[_TRUTH, _ANSWER], range=[of_truth, of_answer])


def _legend() -> altair.Legend:
    return altair.Legend(orient="bottom", symbolType="stroke")


def _rows(curves: Sequence[Curve], series: str) -> Iterator[dict[str, Any]]:
    for number, curve in enumerate(curves, 1):
        for x, y in zip(curve.x, curve.y, strict=True):
            yield {"series": series, "function": number, "x": round(x, 4), "y": round(y, 5)}
