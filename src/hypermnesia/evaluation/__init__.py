"""How well a learner answers, and what a matrix of that says."""

from hypermnesia.evaluation.metrics import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    learning_accuracy,
    task_inference_accuracy,
)
from hypermnesia.evaluation.scoring import Score, score

__all__ = [
    "Score",
    "average_accuracy",
    "backward_transfer",
    "forgetting",
    "forward_transfer",
    "learning_accuracy",
    "score",
    "task_inference_accuracy",
]
