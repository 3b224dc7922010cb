"""The task that a learner is amid of, and what must be known of it to go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from hypermnesia.learners.prediction import LearnedTask
from hypermnesia.tasks.identity import Identity

Way = Literal["learn", "adapt", "relearn"]
"""Method of a learner by which a task is learned."""


@dataclasses.dataclass
class InProgress:
    """A task in progress.

    Args:
        number: Its number: the next one, or that of a learned task of which more is learned.
        task: Its name and classes.
        way: Method by which it was begun.
        identity: What tells it from others; None until it is needed, because data are read for it.

    Example:
        >>> InProgress(3, LearnedTask("cats", 2), "relearn").call
        'relearn(…, task=3)'
    """

    number: int
    task: LearnedTask
    way: Way
    identity: Identity | None = None

    @property
    def call(self) -> str:
        """The call that began it."""
        return f"{self.way}(…, task={self.number})" if self.way == "relearn" else f"{self.way}(…)"

    @property
    def place(self) -> tuple[str | int, ...]:
        """Place among seeds, from which its randomness comes."""
        return ("task", self.number, "again") if self.way == "relearn" else ("task", self.number)

    def state(self) -> dict[str, Any]:
        """JSON values of all but the identity."""
        return {"number": self.number, "task": dataclasses.asdict(self.task), "way": self.way}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> InProgress:
        """The task that :meth:`state` made JSON values of, with its identity beside them."""
        return cls(state["number"], LearnedTask.of_state(state["task"]), state["way"], state["identity"])
