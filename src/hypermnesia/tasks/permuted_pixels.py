"""Permuted tasks: the same images, their pixels in another order for each task."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from hypermnesia.arguments import whole_number
from hypermnesia.data import ImageDataset, LabeledData, as_images
from hypermnesia.memory import check_room
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.fewer_examples import choose_few
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.tensor_examples import TensorExamples
from hypermnesia.tasks.validation_split import set_aside


def permuted(
    dataset: ImageDataset | LabeledData | str,
    num_tasks: int = 10,
    *,
    padding: int = 0,
    validation: int | float = 0,
    examples: int | float | None = None,
    seed: int = 0,
    directory: Path | str | None = None,
) -> list[Task]:
    """Make a sequence of tasks that differ in the order of pixels, drawn at random; the first task keeps it.

    Each task has all classes, and all tasks share one copy of the images. The order of a task depends on `seed` and
    the task's number, not on the number of tasks.

    Args:
        dataset: Images, or their name for `hypermnesia.data.load`. Tasks stay on the device they are on.
        num_tasks: Number of tasks, at least 1.
        padding: Number of zero pixels put around every image beforehand; they are permuted with the others.
        validation: Number of training examples that each task sets aside for validation, or, between 0 and 1, their
            fraction. Each task draws its own.
        examples: Number of training examples, of those not set aside, that each task is learned from, or, between 0
            and 1, their fraction; None for all. Each task draws its own; every class keeps its share, and the fewer
            are among the more.
        seed: Root of all randomness in here.
        directory: Directory with the files of a dataset given by name; None as for `hypermnesia.data.load`.

    Raises:
        ConfigurationError: A number is out of range, or there are not enough examples to set aside or to
            choose.
        DataError: The files are missing or damaged.

    Source: I. Goodfellow et al., *An empirical investigation of catastrophic forgetting in gradient-based
    neural networks*, 2013.

    Example:
        >>> tasks = permuted("digits", num_tasks=3, padding=1)
        >>> [task.train.input_shape for task in tasks]
        [(1, 10, 10), (1, 10, 10), (1, 10, 10)]
    """
    num_tasks = whole_number(num_tasks, "num_tasks", least=1)
    padding = whole_number(padding, "padding", least=0)
    images = as_images(dataset, directory)
    channels, height, width = images.train_images.shape[1:]
    pixels = channels * (height + 2 * padding) * (width + 2 * padding)
    size = pixels * images.train_images.element_size() * (len(images.train_images) + len(images.test_images))
    check_room(
        size + 8 * num_tasks * pixels, f"num_tasks={num_tasks} with padding={padding}", images.train_images.device
    )
    train_images = functional.pad(images.train_images, [padding] * 4)
    test_images = functional.pad(images.test_images, [padding] * 4)
    seeds = Seeds(seed)

    def task(number: int) -> Task:
        order = _pixel_order(train_images[0], number, seeds)

        def of_train(rows: Tensor | None) -> TensorExamples:
            return TensorExamples(train_images, images.train_labels, rows=rows, permutation=order)

        everything = torch.arange(len(train_images), device=train_images.device)
        name = f"{images.name}, permutation {number}"
        train, held_out = set_aside(everything, validation, seeds.child("validation", number))
        few = choose_few(images.train_labels[train], examples, seeds.child("examples", number), name)
        if few is not None:
            train = train[few]
        return Task(
            name=name,
            train=of_train(None if held_out is None and few is None else train),
            test=TensorExamples(test_images, images.test_labels, permutation=order),
            validation=None if held_out is None else of_train(held_out),
            classes=images.class_names,
        )

    return [task(number) for number in range(num_tasks)]


def _pixel_order(image: Tensor, number: int, seeds: Seeds) -> Tensor | None:
    """The stored place of each pixel of task `number`; None for the first task, which keeps them."""
    if number == 0:
        return None
    generator = seeds.child("permutation", number).generator()
    return torch.randperm(image.numel(), generator=generator).to(image.device)
