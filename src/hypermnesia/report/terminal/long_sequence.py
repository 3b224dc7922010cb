"""What to say about a long sequence on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypermnesia.analyses.long_sequence import LongSequence


def long_sequence_lines(run: LongSequence) -> Iterator[str]:
    """Accuracies right after each task and at the end, and the time of a step."""
    yield run.caption
    yield f"right after learning  {_percent(run.right_after)}"
    measured = [value for value in run.at_end if value is not None]
    if len(measured) == len(run.tasks):
        yield f"after {len(run.tasks)} tasks  {_percent(measured)}"
        yield f"largest loss of a task  {100 * (run.largest_loss or 0):.2f} points"
    else:
        yield f"Not every task was tested after task {len(run.tasks)}: see evaluation.tasks."
    if run.early_milliseconds and run.late_milliseconds:
        over = f", medians of {run.window} tasks" if run.window > 1 else ""
        early, late = f"{run.early_milliseconds:.2f} ms from task 2 on", f"{run.late_milliseconds:.2f} ms at the end"
        yield f"time of a step  {early}, {late}{over}"


def _percent(values: Sequence[float]) -> str:
    return f"{100 * sum(values) / len(values):.2f} %, lowest {100 * min(values):.2f} %"
