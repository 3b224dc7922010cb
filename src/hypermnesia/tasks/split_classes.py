"""Split tasks: each task tells apart a few of the classes of one dataset."""

from __future__ import annotations

from pathlib import Path

import torch

from hypermnesia.arguments import whole_number
from hypermnesia.data import ImageDataset, as_images
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.fewer_examples import choose_few
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.tensor_examples import TensorExamples
from hypermnesia.tasks.validation_split import set_aside

_LONGEST_NAME = 40


def split(
    dataset: ImageDataset | str,
    classes_per_task: int = 2,
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
        dataset: Images, or their name for `hypermnesia.data.load`. Tasks stay on the device they are on.
        classes_per_task: Number of classes of each task.
        num_tasks: Number of tasks; None for as many as the classes suffice for. Classes left over are not used.
        first_task: Number of tasks to leave out at the beginning, for what goes on where another sequence ended.
        shuffle_classes: Deal out classes in an order drawn from `seed` rather than from 0 upwards.
        validation: Number of training examples that each task sets aside for validation, or, between 0 and 1, their
            fraction.
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
    classes_per_task = whole_number(classes_per_task, "classes_per_task")
    num_tasks = None if num_tasks is None else whole_number(num_tasks, "num_tasks")
    images = as_images(dataset, directory)
    total = images.num_classes
    if not 1 <= classes_per_task <= total:
        raise ConfigurationError(
            f"classes_per_task={classes_per_task} is not possible: {images.name} has {total} classes, so it "
            f"must lie in 1 to {total}."
        )
    most = total // classes_per_task - first_task
    if not 0 <= first_task < total // classes_per_task:
        raise ConfigurationError(
            f"first_task={first_task} with classes_per_task={classes_per_task} is not possible: the {total} classes of"
            f" {images.name} suffice for {total // classes_per_task} such tasks, numbered from 0."
        )
    if num_tasks is None:
        num_tasks = most
    if not 1 <= num_tasks <= most:
        after = f" after the first {first_task}" if first_task else ""
        raise ConfigurationError(
            f"num_tasks={num_tasks} with classes_per_task={classes_per_task} is not possible: the {total} "
            f"classes of {images.name} suffice for 1 to {most} such tasks{after}."
        )

    seeds = Seeds(seed)
    order = torch.arange(total)
    if shuffle_classes:
        order = torch.randperm(total, generator=seeds.child("class order").generator())
    groups = torch.split(order, classes_per_task)
    return [
        _task(images, groups[number], number, validation, examples, seeds)
        for number in range(first_task, first_task + num_tasks)
    ]


def _task(
    images: ImageDataset,
    group: torch.Tensor,
    number: int,
    validation: int | float,
    examples: int | float | None,
    seeds: Seeds,
) -> Task:
    names = tuple(images.class_names[label] for label in group.tolist())
    classes = group.to(images.train_labels.device)

    def of_train(rows: torch.Tensor) -> TensorExamples:
        return TensorExamples(images.train_images, images.train_labels, rows=rows, classes=classes)

    train, test = (torch.isin(labels, classes).nonzero()[:, 0] for labels in (images.train_labels, images.test_labels))
    name = f"{images.name} {_short(names)}"
    if not len(train) or not len(test):
        raise DataError(f"Task {name!r}: there are {len(train)} training and {len(test)} test images of its classes.")
    train, held_out = set_aside(train, validation, seeds.child("validation", number))
    few = choose_few(images.train_labels[train], examples, seeds.child("examples", number), name)
    return Task(
        name=name,
        train=of_train(train if few is None else train[few]),
        test=TensorExamples(images.test_images, images.test_labels, rows=test, classes=classes),
        validation=None if held_out is None else of_train(held_out),
        classes=names,
    )


def _short(names: tuple[str, ...]) -> str:
    """The names of a task's classes, or the first and the last where all would fill a line."""
    text = "/".join(names)
    return text if len(text) <= _LONGEST_NAME else f"{names[0]}/…/{names[-1]}"
