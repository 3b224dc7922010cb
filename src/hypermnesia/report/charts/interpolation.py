"""A picture of two tasks' accuracies between their embeddings."""

from __future__ import annotations

from collections.abc import Iterator

import altair
import numpy as np

from hypermnesia.analyses.interpolation import AccuracyAlongLine

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
    color = altair.Color(
        "task:N", title=None, legend=altair.Legend(symbolType="stroke"), scale=altair.Scale(domain=names)
    )
    base = altair.Chart(altair.InlineData(rows)).encode(
        x=altair.X("position:Q", title="position on the line", scale=altair.Scale(nice=False)),
        y=altair.Y("accuracy:Q", title="test accuracy (%)", scale=altair.Scale(domain=[0, 100])),
        color=color,
    )
    curves = base.mark_line(strokeWidth=2).encode(
        strokeDash=altair.StrokeDash("task:N", sort=names, title=None, scale=altair.Scale(domain=names))
    )
    # Nobody hits a thin line: what tells values is an invisible point at each of them.
    points = base.mark_point(filled=True, size=60, opacity=0).encode(
        tooltip=["task:N", altair.Tooltip("position:Q", format=".3f"), altair.Tooltip("accuracy:Q", format=".2f")]
    )
    embeddings = [
        {"position": place, "label": f"embedding {task.number}", "task": name}
        for place, task, name in zip((0, 1), tasks, names, strict=True)
    ]
    places = altair.Chart(altair.InlineData(embeddings)).encode(x="position:Q", color=color, tooltip=["label:N"])
    rules = places.mark_rule(strokeDash=[2, 3])
    labels = places.mark_text(align="left", dx=4, dy=-4, baseline="bottom", fontSize=11).encode(
        y=altair.value("height"), text="label:N"
    )
    return altair.layer(rules, curves, labels, points).properties(
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
