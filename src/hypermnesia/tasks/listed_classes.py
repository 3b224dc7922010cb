"""Listed tasks: each tells apart classes that somebody has chosen for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from hypermnesia.data import ImageDataset, LabeledData, as_labeled
from hypermnesia.errors import ConfigurationError, did_you_mean, shown
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.class_task import task_of_classes
from hypermnesia.tasks.task import Task


def listed(
    dataset: ImageDataset | LabeledData | str,
    classes: Sequence[Sequence[str]],
    *,
    validation: int | float = 0,
    examples: int | float | None = None,
    seed: int = 0,
    directory: Path | str | None = None,
) -> list[Task]:
    """Make a sequence of tasks from lists of their classes, which may be of different lengths.

    Args:
        dataset: Images or other labeled data, or a name for `hypermnesia.data.load`.
        classes: Names of the classes of each task. A class may come in several tasks, and others in none.
        validation: Training examples that each task sets aside, a number or a fraction; as for :func:`split`.
        examples: Training examples that each task is learned from; as for :func:`split`.
        seed: Root of all randomness in here.
        directory: Directory with the files of a dataset given by name; None as for `hypermnesia.data.load`.

    Raises:
        ConfigurationError: There is no such class, a task has one twice or none, or there are not enough examples.
        DataError: A task would have no examples, or the files are missing or damaged.

    Example:
        >>> [task.name for task in listed("digits", [["3", "1"], ["0", "2", "9"], ["8"]])]
        ['digits 3/1', 'digits 0/2/9', 'digits 8']
    """
    data = as_labeled(dataset, directory)
    numbers = {name: number for number, name in enumerate(data.class_names)}
    for place, names in enumerate(classes):
        if isinstance(names, str) or not names or len(set(names)) < len(names):
            raise ConfigurationError(
                f"task {place} must list the names of its classes, at least one and each once, not {shown(names)}."
            )
        for name in names:
            if name not in numbers:
                some = ", ".join(data.class_names[:20]) + (", …" if data.num_classes > 20 else "")
                raise ConfigurationError(
                    f"task {place} lists a class {shown(name)}, which {data.name} does not have."
                    f"{did_you_mean(str(name), numbers)} Its classes: {some}."
                )
    seeds = Seeds(seed)
    return [
        task_of_classes(
            data,
            torch.tensor([numbers[name] for name in names]),
            place,
            validation=validation,
            examples=examples,
            seeds=seeds,
        )
        for place, names in enumerate(classes)
    ]
