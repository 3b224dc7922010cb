"""Given tasks: the data say which example is of which task."""

from __future__ import annotations

import torch

from hypermnesia.data import LabeledData
from hypermnesia.errors import DataError
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.class_task import task_of_classes
from hypermnesia.tasks.task import Task


def given(
    data: LabeledData, *, validation: int | float = 0, examples: int | float | None = None, seed: int = 0
) -> list[Task]:
    """Make a sequence of the tasks that data are divided into; each has the classes that its examples have.

    Args:
        data: Labeled data with tasks.
        validation: Training examples that each task sets aside, a number or a fraction, of each class its share.
        examples: Training examples that each task is learned from, a number or a fraction; None for all.
        seed: Root of all randomness in here.

    Raises:
        ConfigurationError: There are not enough examples to set aside or to choose.
        DataError: The data have no tasks, or one of these has no training or no test examples.

    Example:
        >>> labels, tasks = torch.tensor([0, 1, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 0, 1, 1])
        >>> data = LabeledData.divided("pets", torch.rand(6, 3), labels, ("cat", "dog", "hen"), test=0.5,
        ...                            task_names=("fur", "feathers"), tasks=tasks)
        >>> [(task.name, task.classes) for task in given(data)]
        [('fur', ('cat', 'dog')), ('feathers', ('hen',))]
    """
    if data.train_tasks is None or data.test_tasks is None:
        raise DataError(f"{data.name}: nothing says which example is of which task.")
    seeds = Seeds(seed)
    tasks = []
    for number, name in enumerate(data.task_names):
        of_train, of_test = data.train_tasks == number, data.test_tasks == number
        classes = torch.cat([data.train_labels[of_train], data.test_labels[of_test]]).unique()
        tasks.append(
            task_of_classes(
                data,
                classes,
                number,
                name=name,
                of_task=(of_train, of_test),
                validation=validation,
                examples=examples,
                seeds=seeds,
            )
        )
    return tasks
