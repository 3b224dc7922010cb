"""Charts of several methods on each task: right after learning and at the end, and beside learning from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair

from hypermnesia.charts.chart import chart_of, height_of, in_units, task_axis, told_apart, value_scale
from hypermnesia.criteria import Metric
from hypermnesia.evaluation.statistics import Spread, show_spread

_WHEN = ["right after learning", "after the last task"]
_APART = 0.7  # of the way from one task to the next, over which the methods stand side by side


def by_task_chart(
    early: Mapping[str, Sequence[Spread]], late: Mapping[str, Sequence[Spread]], metric: Metric, names: Sequence[str]
) -> altair.LayerChart:
    """Chart of each task right after learning and after the last task, methods side by side, a line between the two.

    Args:
        early: Right after learning, by method, for each task.
        late: After the last task, likewise.
        metric: Metric of the values.
        names: Names of the tasks.
    """
    methods = list(early)
    rows, ways = [], []
    for place, method in enumerate(methods):
        apart = _APART * ((place + 0.5) / len(methods) - 0.5)
        for number, (first, last) in enumerate(zip(early[method], late[method], strict=True)):
            at = {"x": number + 1 + apart, "task": names[number], "method": method}
            rows += [_point(spread, metric, **at, when=when) for spread, when in zip((first, last), _WHEN, strict=True)]
            ways.append({**at, "from": in_units(first.mean, metric), "to": in_units(last.mean, metric)})
    tasks = max(len(values) for values in early.values())
    color = altair.Color("method:N", title=None, scale=altair.Scale(domain=methods))
    scale = value_scale((row[end] for row in rows for end in ("value", "low", "high")), metric)
    base = chart_of(rows).encode(x=task_axis("x", "task", tasks), color=color)
    points = base.mark_point(size=55, opacity=1).encode(
        y=altair.Y("value:Q", title=metric.label, scale=scale),
        shape=altair.Shape("when:N", title=None, scale=altair.Scale(domain=_WHEN, range=["circle", "diamond"])),
        fill=altair.Fill("method:N", title=None, scale=altair.Scale(domain=methods)),
        fillOpacity=altair.FillOpacity(
            "when:N", title=None, scale=altair.Scale(domain=_WHEN, range=[0, 1]), legend=None
        ),
        tooltip=[
            altair.Tooltip("method:N"),
            altair.Tooltip("task:N"),
            altair.Tooltip("when:N", title="tested"),
            altair.Tooltip("text:N", title=metric.label),
        ],
    )
    rules = (
        chart_of(ways)
        .mark_rule(opacity=0.6, tooltip=None)
        .encode(x=task_axis("x", "task", tasks), y=altair.Y("from:Q", scale=scale), y2="to:Q", color=color)
    )
    layers = [rules, points]
    if any(spread.sem is not None for values in early.values() for spread in values):
        layers.insert(1, base.mark_rule(strokeWidth=1.5, tooltip=None).encode(y="low:Q", y2="high:Q"))
    return altair.LayerChart(
        layer=layers, width=max(420, 22 * len(methods) * tasks), height=height_of(len(methods) + len(_WHEN))
    )


def transfer_chart(
    transfer: Mapping[str, Sequence[Spread]], label: str, metric: Metric, names: Sequence[str], among: Sequence[str]
) -> altair.LayerChart:
    """Chart of the gain on each task over learning it from scratch, a line for each group of runs.

    Args:
        transfer: Gains on each task, by the name of the group.
        label: Title of the axis.
        metric: Metric in whose units they are shown.
        names: Names of the tasks.
        among: Names of all groups, also of those without gains: each has one color, here and in a chart of all.
    """
    rows = [
        _point(spread, metric, x=number + 1, task=names[number], group=group)
        for group, spreads in transfer.items()
        for number, spread in enumerate(spreads)
    ]
    tasks = max(len(spreads) for spreads in transfer.values())
    color, dash, shape = told_apart("group", among, ranked=list(transfer))
    base = chart_of(rows).encode(x=task_axis("x", "task", tasks), y=altair.Y("value:Q", title=label), color=color)
    points = base.mark_point(filled=True, size=55, opacity=1).encode(
        shape=shape,
        tooltip=[
            altair.Tooltip("group:N", title="runs"),
            altair.Tooltip("task:N"),
            altair.Tooltip("text:N", title=label),
        ],
    )
    zero = chart_of([{"y": 0}]).mark_rule(strokeDash=[4, 3], tooltip=None).encode(y="y:Q")
    layers = [zero, base.mark_line(tooltip=None).encode(strokeDash=dash), points]
    if any(spread.sem is not None for spreads in transfer.values() for spread in spreads):
        layers.insert(1, base.mark_rule(tooltip=None).encode(y="low:Q", y2="high:Q"))
    return altair.LayerChart(layer=layers, width=420, height=height_of(len(transfer)))


def _point(spread: Spread, metric: Metric, **told: Any) -> dict[str, Any]:
    error = spread.sem or 0.0
    return {
        **told,
        "value": in_units(spread.mean, metric),
        "low": in_units(spread.mean - error, metric),
        "high": in_units(spread.mean + error, metric),
        "text": show_spread(spread, metric),
    }
