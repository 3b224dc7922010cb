"""How well a learner answers, and what a matrix of that says."""

from hypermnesia.evaluation.metrics import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    learning_accuracy,
    task_inference_accuracy,
)

__all__ = [
    "average_accuracy",
    "backward_transfer",
    "forgetting",
    "forward_transfer",
    "learning_accuracy",
    "task_inference_accuracy",
]
