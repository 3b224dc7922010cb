"""An axis of tasks, counted from 1."""

from __future__ import annotations

import altair


def task_axis(field: str, title: str, tasks: int) -> altair.X:
    """Of numbers that are tasks, with room for half a task at both ends.

    Args:
        field: Of the data.
        title: What the numbers are.
        tasks: How many there are.
    """
    return altair.X(
        f"{field}:Q",
        title=title,
        scale=altair.Scale(domain=[0.5, tasks + 0.5], nice=False),
        axis=altair.Axis(values=labeled(tasks), format="d", grid=False, labelOverlap=False),
    )


def labeled(tasks: int) -> list[int]:
    """The tasks that get a label: all of few, else the first and round numbers, so few that they fit on a phone.

    Example:
        >>> labeled(3), labeled(25)
        ([1, 2, 3], [1, 5, 10, 15, 20, 25])
    """
    every = 1 if tasks <= 15 else 5 if tasks <= 50 else 10 if tasks <= 120 else 50
    return [number for number in range(1, tasks + 1) if number == 1 or number % every == 0]
