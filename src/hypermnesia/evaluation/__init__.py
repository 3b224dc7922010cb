"""The accuracy of a learner, and what an accuracy matrix says."""

from hypermnesia.evaluation.accuracy import accuracy
from hypermnesia.evaluation.metrics import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    learning_accuracy,
)

__all__ = [
    "accuracy",
    "average_accuracy",
    "backward_transfer",
    "forgetting",
    "forward_transfer",
    "learning_accuracy",
]
