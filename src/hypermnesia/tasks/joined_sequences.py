"""Sequences of tasks joined into one, as of several datasets."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import torch

from hypermnesia.errors import ConfigurationError
from hypermnesia.inputs import show_shape
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task


def join(*sequences: Sequence[Task], shuffle: bool = False, seed: int = 0) -> list[Task]:
    """Join sequences of tasks into one that one network can learn.

    A task whose name comes again gets a number behind it, so that all names differ.

    Args:
        sequences: Sequences of tasks, in the order of learning.
        shuffle: Put all tasks into an order drawn from `seed`, whichever sequence they are of.
        seed: Root of all randomness in here.

    Raises:
        ConfigurationError: There are no tasks, their inputs have different shapes, or only some of them are
            regressions.

    Example:
        >>> from hypermnesia.tasks import split
        >>> [task.name for task in join(split("digits", 5), split("digits", 3, num_tasks=1), split("digits", 3)[:1])]
        ['digits 0/1/2/3/4', 'digits 5/6/7/8/9', 'digits 0/1/2', 'digits 0/1/2 (2)']
    """
    tasks = [task for sequence in sequences for task in sequence]
    if not tasks:
        raise ConfigurationError("There are no tasks to join.")
    for task in tasks:
        if task.train.input_shape != tasks[0].train.input_shape:
            raise ConfigurationError(
                f"Tasks of one sequence must have inputs of one shape: those of '{tasks[0].name}' have shape"
                f" {_text(tasks[0])}, those of '{task.name}' {_text(task)}. Join datasets of one shape."
            )
        if task.labels != tasks[0].labels:
            raise ConfigurationError(
                f"Tasks of one sequence must be of one kind: labels of '{tasks[0].name}' are {tasks[0].labels}, those"
                f" of '{task.name}' {task.labels}."
            )
    if shuffle:
        order = torch.randperm(len(tasks), generator=Seeds(seed).child("task order").generator())
        tasks = [tasks[number] for number in order.tolist()]
    met: collections.Counter[str] = collections.Counter()
    named = []
    for task in tasks:
        met[task.name] += 1
        again = met[task.name] > 1
        named.append(dataclasses.replace(task, name=f"{task.name} ({met[task.name]})") if again else task)
    return named


def _text(task: Task) -> str:
    return show_shape(task.train.input_shape)
