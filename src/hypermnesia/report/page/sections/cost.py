"""What it costs: time, memory, weights."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.evaluation import statistics
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.charts.memory_per_task import memory_per_task_chart
from hypermnesia.report.charts.time_per_task import time_per_task_chart
from hypermnesia.report.page.names import figure_name
from hypermnesia.report.page.section import Block, Facts, Figure, Section, of_each
from hypermnesia.report.units import duration, number, size


def cost(groups: Sequence[Group]) -> Section | None:
    """Time of each task, bytes kept, weights trained, compression."""
    return of_each("Cost", [(group, _blocks(group, groups)) for group in groups])


def _blocks(group: Group, groups: Sequence[Group]) -> list[Block]:
    facts = [fact for fact in _facts(group) if fact[1]]
    blocks: list[Block] = [Facts(facts)] if facts else []
    timings, kept = group.timings, group.memory_bytes
    if timings:
        told = f"Seconds of learning and of testing each task; {duration(group.seconds)} together."
        name = figure_name("time", group, groups)
        blocks.append(Figure(name, "Time of each task", time_per_task_chart(timings), told))
    if kept:
        told = f"Memory kept after each task: {size(kept[0])} after the first, {size(kept[-1])} after the last."
        name = figure_name("memory", group, groups)
        blocks.append(Figure(name, "Memory kept for the next task", memory_per_task_chart(kept), told))
    return blocks


def _facts(group: Group) -> list[tuple[str, str]]:
    kept = group.memory_bytes
    growth = (kept[-1] - kept[0]) / (len(kept) - 1) if len(kept) > 1 else None
    return [
        ("weights trained", number(group.figure("num_weights"), ",.0f")),
        ("compression ratio", number(group.figure("compression"), ".3f")),
        ("memory kept", size(kept[-1] if kept else None)),
        ("more with each task", size(growth)),
        ("learning, per step", _step(group)),
        ("learning, per task", duration(_of_a_task(group))),
    ]


def _step(group: Group) -> str:
    found = group.milliseconds_per_step
    return "" if found is None else f"{found:.2f} ms"


def _of_a_task(group: Group) -> float | None:
    return statistics.mean([task.learning_seconds for timing in group.timings for task in timing])
