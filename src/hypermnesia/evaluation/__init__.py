"""Evaluation of learners: the matrix of accuracies task by task, and the metrics read from it."""

from hypermnesia.evaluation.metrics import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    learning_accuracy,
    task_inference_accuracy,
)
from hypermnesia.evaluation.sequence import Observer, learn_sequence
from hypermnesia.learners import Score, score

__all__ = [
    "Observer",
    "Score",
    "average_accuracy",
    "backward_transfer",
    "forgetting",
    "forward_transfer",
    "learn_sequence",
    "learning_accuracy",
    "score",
    "task_inference_accuracy",
]
