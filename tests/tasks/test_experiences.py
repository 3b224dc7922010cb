"""What has the attributes of an experience of Avalanche is a task, whose classes are numbered from 0."""

import torch

from hypermnesia.tasks import Task


class Experience:
    """Triples of an input, a class among all and a number of the task."""

    classes_in_this_experience = (7, 3)
    dataset = ((torch.zeros(2), 7, 1), (torch.ones(2), 3, 1))


def test_an_experience_is_a_task_of_its_classes():
    task = Task.of(Experience())
    inputs, labels = next(task.train.in_order(2))
    assert task.classes == ("3", "7")
    assert labels.tolist() == [1, 0]
    assert inputs.tolist() == [[0.0, 0.0], [1.0, 1.0]]
