"""A picture of two tasks' accuracies between their embeddings."""

from __future__ import annotations

from collections.abc import Iterator

import altair
import numpy as np

from hypermnesia.analyses.interpolation import AccuracyAlongLine
from hypermnesia.report.chart import COLORS

_WIDTH, _HEIGHT = 460, 260


def interpolation_chart(result: AccuracyAlongLine) -> altair.TopLevelMixin:
    """Both accuracies as curves; dashed lines where the two embeddings are."""
    tasks = (result.first, result.second)
    names = [f"task {task.number}: {task.name}" for task in tasks]
    rows = [
        {"position": position, "accuracy": 100 * accuracy, "task": name}
        for task, name in zip(tasks, names, strict=True)
        for position, accuracy in zip(result.positions, task.accuracy, strict=True)
    ]
    curves = (
        altair.Chart(altair.InlineData(rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=altair.X("position:Q", title="position on the line", scale=altair.Scale(nice=False)),
            y=altair.Y("accuracy:Q", title="test accuracy (%)", scale=altair.Scale(domain=[0, 100])),
            color=altair.Color(
                "task:N",
                title=None,
                legend=altair.Legend(symbolType="stroke"),
                scale=altair.Scale(domain=names, range=COLORS[:2]),
            ),
            strokeDash=altair.StrokeDash("task:N", sort=names, title=None, scale=altair.Scale(domain=names)),
            tooltip=["task:N", altair.Tooltip("position:Q", format=".3f"), altair.Tooltip("accuracy:Q", format=".2f")],
        )
    )
    embeddings = [
        {"position": place, "label": f"embedding {task.number}", "color": color}
        for place, task, color in zip((0, 1), tasks, COLORS, strict=False)
    ]
    places = altair.Chart(altair.InlineData(embeddings)).encode(x="position:Q", tooltip=["label:N"])
    rules = places.mark_rule(strokeDash=[2, 3]).encode(color=altair.Color("color:N", scale=None))
    labels = places.mark_text(align="left", dx=4, baseline="bottom", fontSize=11).encode(
        y=altair.value(_HEIGHT - 4), text="label:N", color=altair.Color("color:N", scale=None)
    )
    return altair.layer(rules, curves, labels).properties(
        width=_WIDTH,
        height=_HEIGHT,
        title=altair.TitleParams(
            f"{result.run}: between two embeddings", subtitle=f"they are {result.distance:.3g} apart; all test images"
        ),
    )


def interpolation_text(result: AccuracyAlongLine) -> Iterator[str]:
    """Accuracies at both embeddings and half-way, a line for each task."""
    first, second = result.first.number, result.second.number
    yield f"{'task':>4}  {f'at {first}':>9}  {'half-way':>9}  {f'at {second}':>9}"
    places = [int(np.abs(np.array(result.positions) - place).argmin()) for place in (0, 0.5, 1)]
    for task in (result.first, result.second):
        yield f"{task.number:>4}  " + "  ".join(f"{100 * task.accuracy[place]:>7.2f} %" for place in places)
