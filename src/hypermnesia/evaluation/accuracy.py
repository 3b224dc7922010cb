"""How often a learner is right."""

from __future__ import annotations

from hypermnesia.learners.base import ContinualLearner
from hypermnesia.tasks.examples import Examples


def accuracy(learner: ContinualLearner, examples: Examples, task: int, batch_size: int = 2000) -> float:
    """The fraction of examples of a task that the learner labels correctly, told the task.

    Args:
        learner: Any learner that has seen the task.
        examples: What to ask.
        task: The task's number, in the order of learning.
        batch_size: Inputs at a time; a matter of memory only.

    Returns:
        A number from 0 to 1.
    """
    correct = 0
    for inputs, labels in examples.in_order(batch_size):
        answers = learner.predict(inputs, task).labels
        correct += int((answers == labels.to(answers.device)).sum())
    return correct / len(examples)
