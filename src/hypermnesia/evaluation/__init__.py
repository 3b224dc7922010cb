"""The accuracy of a learner, and what an accuracy matrix says."""

from hypermnesia.evaluation.accuracy import Measurement, measure
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
