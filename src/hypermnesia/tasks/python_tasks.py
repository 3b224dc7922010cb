"""Tasks that somebody's own code makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import Field

from hypermnesia import named_code
from hypermnesia.errors import ConfigurationError
from hypermnesia.seeds import Seeds
from hypermnesia.settings import Settings
from hypermnesia.tasks.chosen_examples import ChosenExamples
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.validation_split import set_aside


class PythonData(Settings):
    """Settings of tasks that a function makes, as `my_module:make_tasks`.

    Example:
        >>> data = PythonData(kind="python", call="hypermnesia.tasks:split", arguments={"dataset": "digits"})
        >>> data.make_tasks(validation=0.1, seed=0)[4].name
        'digits 8/9'
    """

    kind: Literal["python"]
    call: named_code.Name
    """Function that makes the tasks, as `module:function`; its module is installed or in the current directory."""
    arguments: named_code.Arguments = Field(default_factory=dict)
    """Keyword arguments of the function."""

    def make_tasks(self, validation: int | float, seed: int) -> list[Task]:
        """Call the function.

        Args:
            validation: Training examples that each task sets aside which brings no validation examples itself, a number
                or a fraction.
            seed: Root of all randomness in here.

        Raises:
            ConfigurationError: It fails, or makes something else than tasks with test examples.
        """
        made = named_code.call(self.call, dict(self.arguments))
        tasks = list(made) if isinstance(made, Sequence) else []
        if not tasks or not all(isinstance(task, Task) for task in tasks):
            kind = type(next((each for each in tasks if not isinstance(each, Task)), made)).__name__
            raise ConfigurationError(
                f"data.call={self.call} made {'an empty list' if made == [] else f'a {kind}'}; it must make a list of"
                " hypermnesia.Task, at least one."
            )
        if without := next((task.name for task in tasks if task.test is None), None):
            raise ConfigurationError(
                f"data.call={self.call}: task {without!r} has no test examples, on which an experiment measures it."
            )
        seeds = Seeds(seed)
        return [_with_validation(task, validation, seeds.child("validation", n)) for n, task in enumerate(tasks)]


def _with_validation(task: Task, validation: int | float, seeds: Seeds) -> Task:
    if not validation or task.validation is not None:
        return task
    rows, held_out = set_aside(torch.arange(len(task.train)), validation, seeds)
    assert held_out is not None
    splits: dict[str, Any] = {
        "train": ChosenExamples(task.train, rows),
        "validation": ChosenExamples(task.train, held_out),
    }
    return Task(task.name, test=task.test, classes=task.classes, **splits)
