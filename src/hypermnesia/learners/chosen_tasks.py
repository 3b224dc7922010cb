"""Which task inputs belong to: one for all or one for each, by number or by name."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from hypermnesia.errors import ConfigurationError, DataError, did_you_mean, shown
from hypermnesia.learners.prediction import LearnedTask

TaskChoice: TypeAlias = int | str | Tensor | npt.NDArray[Any] | Sequence[int | str] | None
"""Choice of a task: its number or name, or one for each input, also as a column of a data frame; None where it is to be
inferred."""


def chosen_tasks(task: TaskChoice, known: Sequence[LearnedTask], inputs: int) -> int | list[int] | None:
    """Return the number of the task chosen for all inputs, the numbers chosen for each, or None.

    Args:
        task: The choice.
        known: Tasks that can be chosen; the place of each is its number.
        inputs: Number of inputs.

    Raises:
        ConfigurationError: There is no such task, or the choice is of another type.
        DataError: There are more or fewer choices than inputs.

    Example:
        >>> known = LearnedTask("cats", 2), LearnedTask("dogs", 2)
        >>> chosen_tasks("dogs", known, inputs=3), chosen_tasks([1, "cats", 0], known, inputs=3)
        (1, [1, 0, 0])
    """
    if task is None:
        return None
    if isinstance(task, (int, str)):
        return number_of(task, known)
    if callable(to_numpy := getattr(task, "to_numpy", None)):  # a column of a data frame
        task = to_numpy()
    if isinstance(task, (Tensor, np.ndarray)):
        if task.ndim > 1:
            raise DataError(
                f"tasks have shape {list(task.shape)}: give one number for all inputs, or one for each, [n]"
            )
        task = task.tolist()
    if isinstance(task, bytes) or not isinstance(task, Sequence):
        return number_of(task, known)  # type: ignore[arg-type]  # refused there
    if len(task) != inputs:
        raise DataError(f"there are {len(task)} tasks for {inputs} inputs: give one for all inputs, or one for each")
    return [number_of(each.item() if isinstance(each, Tensor) else each, known) for each in task]


def number_of(task: int | str, known: Sequence[LearnedTask]) -> int:
    """Return the number of a task that may be given by its name.

    Args:
        task: Number, from 0, or name.
        known: Tasks that can be chosen; the place of each is its number.

    Raises:
        ConfigurationError: There is no such task, it was forgotten, or there are several of that name.

    Example:
        >>> number_of("dogs", [LearnedTask("cats", 2), LearnedTask("dogs", 2)])
        1
    """
    if isinstance(task, str):
        return _number_of_name(task, known)
    if isinstance(task, bool) or not isinstance(task, (int, Integral)):  # first what is told apart at once
        raise ConfigurationError(
            f"a task is chosen by its number, from 0, or by its name, not by {shown(task, 40)} ({type(task).__name__})"
        )
    number = int(task)
    if not 0 <= number < len(known):
        raise ConfigurationError(f"there is no task {number}: {len(known)} tasks were learned, counted from 0")
    if known[number].forgotten:
        raise ConfigurationError(f"task {number}, '{known[number].name}', was forgotten")
    return number


def _number_of_name(name: str, known: Sequence[LearnedTask]) -> int:
    found = [number for number, each in enumerate(known) if each.name == name]
    there = [number for number in found if not known[number].forgotten]
    if len(there) == 1:
        return there[0]
    if there:
        raise ConfigurationError(f"{len(there)} tasks are called {shown(name)}: say which by its number, from 0")
    if found:
        raise ConfigurationError(f"task {found[-1]}, {shown(name)}, was forgotten")
    names = [each.name for each in known if not each.forgotten]
    raise ConfigurationError(
        f"there is no task {shown(name)}.{did_you_mean(name, names)} Learned: {', '.join(names) or 'none'}."
    )
