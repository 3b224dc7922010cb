"""The three scenarios of continual learning, and which outputs of a growing classifier they use."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

Scenario = Literal["task", "domain", "class"]
"""Scenario of continual learning. `task`: the task is known, and the class within it is asked. `domain`: the task is
unknown, and the class within it is asked. `class`: the task is unknown, and the class among all is asked.

Source: van de Ven and Tolias, Three scenarios for continual learning, 2019."""
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Assignment of the outputs of one growing network to the classes of tasks.

    Every task has outputs of its own; in the domain-incremental scenario all tasks share theirs.

    Args:
        scenario: Scenario of continual learning.
        classes: Number of classes, or of regression targets, of each task.

    Example:
        >>> outputs = Outputs("class", (2, 3))
        >>> len(outputs), outputs.of_task(1), outputs.competing(1)
        (5, slice(2, 5, None), slice(0, 5, None))
    """

    scenario: Scenario
    classes: tuple[int, ...] = ()

    def __len__(self) -> int:
        shared = self.scenario == "domain"
        return max(self.classes, default=0) if shared else sum(self.classes)

    def and_task(self, classes: int) -> Outputs:
        """Return the assignment with one more task of so many classes."""
        return Outputs(self.scenario, (*self.classes, classes))

    def of_task(self, task: int) -> slice:
        """Return the outputs for the classes of a task, in the order of the labels."""
        start = 0 if self.scenario == "domain" else sum(self.classes[:task])
        return slice(start, start + self.classes[task])

    def competing(self, task: int) -> slice:
        """Return the outputs among which the class of an input of this task is chosen."""
        return self.of_task(task) if self.scenario == "task" else slice(0, len(self))
