"""Split tasks: each task tells apart a few of the classes of one dataset."""

from __future__ import annotations

from pathlib import Path

import torch

from hypermnesia.arguments import whole_number
from hypermnesia.data import ImageDataset, LabeledData, as_labeled
from hypermnesia.errors import ConfigurationError
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.class_task import task_of_classes
from hypermnesia.tasks.task import Task


def split(
    dataset: ImageDataset | LabeledData | str,
    classes_per_task: int | None = 2,
    *,
    num_tasks: int | None = None,
    first_task: int = 0,
    shuffle_classes: bool = False,
    validation: int | float = 0,
    examples: int | float | None = None,
    seed: int = 0,
    directory: Path | str | None = None,
) -> list[Task]:
    """Make a sequence of tasks by dealing out the classes of a dataset.

    Args:
        dataset: Images or other labeled data, or a name for `hypermnesia.data.load`. Tasks stay on the device they are
            on.
        classes_per_task: Number of classes of each task; None divides all classes among `num_tasks`, as evenly as they
            can be, the first tasks having one more.
        num_tasks: Number of tasks; None for as many as the classes suffice for. Classes left over are not used.
        first_task: Number of tasks to leave out at the beginning, for what goes on where another sequence ended.
        shuffle_classes: Deal out classes in an order drawn from `seed` rather than from 0 upwards.
        validation: Number of training examples that each task sets aside for validation, or, between 0 and 1, their
            fraction. Of labeled data, every class gives its share.
        examples: Number of training examples, of those not set aside, that each task is learned from, or, between 0
            and 1, their fraction; None for all. Every class keeps its share, and the fewer are among the more.
        seed: Root of all randomness in here.
        directory: Directory with the files of a dataset given by name; None as for `hypermnesia.data.load`.

    Raises:
        ConfigurationError: There are not enough classes, or not enough examples to set aside or to choose.
        DataError: A task would have no examples, or the files are missing or damaged.

    Source: F. Zenke, B. Poole, S. Ganguli, *Continual learning through synaptic intelligence*, 2017.

    Example:
        >>> [task.classes for task in split("digits", classes_per_task=4)]
        [('0', '1', '2', '3'), ('4', '5', '6', '7')]
    """
    num_tasks = None if num_tasks is None else whole_number(num_tasks, "num_tasks")
    data = as_labeled(dataset, directory)
    if classes_per_task is None:
        sizes = _even_sizes(data, num_tasks, first_task)
    else:
        sizes = _equal_sizes(data, whole_number(classes_per_task, "classes_per_task"), num_tasks, first_task)

    seeds = Seeds(seed)
    order = torch.arange(data.num_classes)
    if shuffle_classes:
        order = torch.randperm(data.num_classes, generator=seeds.child("class order").generator())
    groups = order[: sum(sizes)].split(sizes)
    return [
        task_of_classes(data, groups[number], number, validation=validation, examples=examples, seeds=seeds)
        for number in range(first_task, len(sizes))
    ]


def _equal_sizes(data: LabeledData, size: int, num_tasks: int | None, first_task: int) -> list[int]:
    """Numbers of classes of all tasks, those left out at the beginning included."""
    total = data.num_classes
    if not 1 <= size <= total:
        raise ConfigurationError(
            f"classes_per_task={size} is not possible: {data.name} has {total} classes, so it must lie in 1 to {total}."
        )
    most = total // size - first_task
    if not 0 <= first_task < total // size:
        raise ConfigurationError(
            f"first_task={first_task} with classes_per_task={size} is not possible: the {total} classes of"
            f" {data.name} suffice for {total // size} such tasks, numbered from 0."
        )
    if num_tasks is None:
        num_tasks = most
    if not 1 <= num_tasks <= most:
        after = f" after the first {first_task}" if first_task else ""
        raise ConfigurationError(
            f"num_tasks={num_tasks} with classes_per_task={size} is not possible: the {total} "
            f"classes of {data.name} suffice for 1 to {most} such tasks{after}."
        )
    return [size] * (first_task + num_tasks)


def _even_sizes(data: LabeledData, num_tasks: int | None, first_task: int) -> list[int]:
    """Numbers of classes of so many tasks that all classes are divided among."""
    total = data.num_classes
    if num_tasks is None or first_task:
        raise ConfigurationError(
            "where classes_per_task is none, all classes are divided among num_tasks: give that, and no first_task."
        )
    if not 1 <= num_tasks <= total:
        raise ConfigurationError(
            f"num_tasks={num_tasks} is not possible: {data.name} has {total} classes, so it must lie in 1 to {total}."
        )
    return [total // num_tasks + (number < total % num_tasks) for number in range(num_tasks)]
