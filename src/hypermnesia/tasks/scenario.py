"""The three scenarios of continual learning, and what they make of a classifier's outputs."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

Scenario = Literal["task", "domain", "class"]
"""What is known and what is asked. `task`: the task is known, the class within it is asked. `domain`: the task is
unknown, the class within it is asked. `class`: the task is unknown, the class among those of all tasks is asked.

Source: van de Ven and Tolias, Three scenarios for continual learning, 2019."""
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Which outputs of one growing classifier stand for which classes.

    Every task has outputs of its own, but in the domain-incremental scenario all tasks share theirs.

    Args:
        scenario: Decides that.
        classes: How many classes each task has; or numbers, where these are predicted.

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
        """These, and those of one more task."""
        return Outputs(self.scenario, (*self.classes, classes))

    def of_task(self, task: int) -> slice:
        """The outputs that stand for the classes of a task, in order."""
        start = 0 if self.scenario == "domain" else sum(self.classes[:task])
        return slice(start, start + self.classes[task])

    def competing(self, task: int) -> slice:
        """The outputs that an input of this task chooses between, where nothing else is known about it."""
        return self.of_task(task) if self.scenario == "task" else slice(0, len(self))
