"""What a network learns by and is judged by: losses and metrics, one criterion a file."""

from __future__ import annotations

from hypermnesia.criteria.criterion import Criterion, Targets
from hypermnesia.criteria.cross_entropy import CrossEntropy
from hypermnesia.criteria.label_kind import LabelKind, label_kind
from hypermnesia.criteria.mean_squared_error import MeanSquaredError
from hypermnesia.criteria.metric import ACCURACY, ERROR, Metric

__all__ = [
    "ACCURACY",
    "ERROR",
    "USUAL",
    "Criterion",
    "CrossEntropy",
    "LabelKind",
    "MeanSquaredError",
    "Metric",
    "Targets",
    "label_kind",
]

USUAL: dict[LabelKind, Criterion] = {"classes": CrossEntropy(), "numbers": MeanSquaredError()}
"""The criterion that labels of each kind are learned by where nobody says another."""
