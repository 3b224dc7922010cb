"""Section on cost: time, memory, weights."""

from __future__ import annotations

from collections.abc import Sequence

import altair

from hypermnesia.charts.chart import chart_of, labeled, task_axis
from hypermnesia.evaluation import statistics
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import Timing
from hypermnesia.report.page.section import Block, Facts, Figure, Section, of_each
from hypermnesia.report.text import duration, number, size, unit_of


def cost(groups: Sequence[Group]) -> Section | None:
    """Section with the time of each task, memory kept, weights trained and compression."""
    return of_each("Cost", groups, _blocks)


def _blocks(group: Group) -> list[Block]:
    facts = [fact for fact in _facts(group) if fact[1]]
    blocks: list[Block] = [Facts(facts)] if facts else []
    timings, kept = group.timings, group.memory_bytes
    if timings:
        told = f"Seconds of learning and of testing each task; {duration(group.seconds)} together."
        blocks.append(Figure("time", "Time of each task", time_per_task_chart(timings), told))
    if kept:
        first, last = (size(kept[place], max(kept)) for place in (0, -1))
        told = f"Memory kept after each task: {first} after the first, {last} after the last."
        blocks.append(Figure("memory", "Memory kept for the next task", memory_per_task_chart(kept), told))
    return blocks


def _facts(group: Group) -> list[tuple[str, str]]:
    kept = group.memory_bytes
    growth = (kept[-1] - kept[0]) / (len(kept) - 1) if len(kept) > 1 else None
    return [
        ("weights trained", number(group.figure("num_weights"), ",.0f")),
        ("compression ratio", number(group.figure("compression"), ".3f")),
        ("memory kept", size(kept[-1] if kept else None)),
        ("more with each task", size(growth, kept[-1] if kept else None)),
        ("learning, per step", _step(group)),
        ("learning, per task", duration(_of_a_task(group))),
    ]


def _step(group: Group) -> str:
    found = group.milliseconds_per_step
    return "" if found is None else f"{found:.2f} ms"


def _of_a_task(group: Group) -> float | None:
    return statistics.mean([task.learning_seconds for timing in group.timings for task in timing])


def time_per_task_chart(timings: Sequence[Sequence[Timing]]) -> altair.Chart:
    """Chart of the seconds of learning and of testing each task, means over seeds, as bars on top of each other.

    Args:
        timings: Times of each seed, task by task.
    """
    kinds = {"learning": "learning_seconds", "testing": "evaluation_seconds"}
    rows = [
        {
            "task": task + 1,
            "name": of_seeds[0].task,
            "what": what,
            "seconds": round(statistics.mean([getattr(timing, field) for timing in of_seeds]) or 0.0, 3),
        }
        for task, of_seeds in enumerate(zip(*timings, strict=True))
        for what, field in kinds.items()
    ]
    axis = altair.Axis(values=labeled(len(timings[0])), labelAngle=0, labelOverlap=False)
    colors = altair.Scale(domain=list(kinds))
    chart: altair.Chart = (
        chart_of(rows)
        .mark_bar()
        .properties(width=520, height=180)
        .encode(
            x=altair.X("task:O", title="task", axis=axis),
            y=altair.Y("sum(seconds):Q", title="time (s)", stack="zero"),
            color=altair.Color("what:N", title=None, scale=colors, legend=altair.Legend(orient="top")),
            tooltip=[
                altair.Tooltip("name:N", title="task"),
                altair.Tooltip("what:N", title="spent on"),
                altair.Tooltip("seconds:Q", title="seconds", format=",.1f"),
            ],
        )
    )
    return chart


def memory_per_task_chart(kept: Sequence[float]) -> altair.LayerChart:
    """Chart of the memory kept for the next task, after each one: weights, statistics, embeddings and data.

    Args:
        kept: Bytes kept after each task.
    """
    unit, of = unit_of(max(kept))
    rows = [{"task": task, "kept": round(bytes_ / of, 4)} for task, bytes_ in enumerate(kept, start=1)]
    base = chart_of(rows).encode(
        x=task_axis("task", "tasks learned", len(kept)),
        y=altair.Y("kept:Q", title=f"memory kept ({unit})", scale=altair.Scale(zero=True)),
        tooltip=[
            altair.Tooltip("task:Q", title="tasks learned"),
            altair.Tooltip("kept:Q", title=f"memory kept ({unit})", format=",.3f"),
        ],
    )
    size = 40 if len(kept) <= 30 else 12
    layers = [base.mark_line(tooltip=None), base.mark_point(filled=True, size=size)]
    return altair.LayerChart(layer=layers, width=520, height=180)
