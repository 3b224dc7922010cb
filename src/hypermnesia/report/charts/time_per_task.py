"""A picture of what each task took."""

from __future__ import annotations

from collections.abc import Sequence

import altair

from hypermnesia.evaluation import statistics
from hypermnesia.experiments.recorded_runs.recorded import Timing
from hypermnesia.report.charts.task_axis import labeled


def time_per_task_chart(timings: Sequence[Sequence[Timing]]) -> altair.Chart:
    """Seconds of learning and of testing each task, means over seeds, as bars on top of each other.

    Args:
        timings: Of each seed, task by task.
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
    return altair.Chart(altair.InlineData(rows), mark="bar", width=520, height=180).encode(
        x=altair.X("task:O", title="task", axis=axis),
        y=altair.Y("sum(seconds):Q", title="time (s)", stack="zero"),
        color=altair.Color("what:N", title=None, scale=colors, legend=altair.Legend(orient="top")),
        tooltip=[
            altair.Tooltip("name:N", title="task"),
            altair.Tooltip("what:N", title="spent on"),
            altair.Tooltip("seconds:Q", title="seconds", format=",.1f"),
        ],
    )
