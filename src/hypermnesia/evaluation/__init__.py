"""How well a learner answers, and what a matrix of that says."""

from hypermnesia.evaluation.measurement import Measurement, measure
from hypermnesia.evaluation.metrics import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    learning_accuracy,
    task_inference_accuracy,
)

__all__ = [
    "Measurement",
    "average_accuracy",
    "backward_transfer",
    "forgetting",
    "forward_transfer",
    "learning_accuracy",
    "measure",
    "task_inference_accuracy",
]
