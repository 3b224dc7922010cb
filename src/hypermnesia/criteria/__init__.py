"""What a network learns by and is judged by: losses and metrics, one criterion a file."""

from __future__ import annotations

from hypermnesia.criteria.binary_cross_entropy import BinaryCrossEntropy
from hypermnesia.criteria.criterion import Criterion, Targets
from hypermnesia.criteria.cross_entropy import CrossEntropy
from hypermnesia.criteria.custom import Custom
from hypermnesia.criteria.given import NAMED, GivenCriterion, criterion_of, description
from hypermnesia.criteria.label_kind import LabelKind, label_kind
from hypermnesia.criteria.mean_squared_error import MeanSquaredError
from hypermnesia.criteria.measuring import (
    GivenMetric,
    Measure,
    Measurement,
    check_metric,
    description_of_metric,
    measure_of,
)
from hypermnesia.criteria.metric import ACCURACY, ERROR, LOSS, NAMED_METRICS, Metric
from hypermnesia.criteria.own_loss import OwnLoss
from hypermnesia.criteria.shared_batch import loss_and_metric

__all__ = [
    "ACCURACY",
    "ANY",
    "ERROR",
    "LOSS",
    "NAMED",
    "NAMED_METRICS",
    "USUAL",
    "BinaryCrossEntropy",
    "Criterion",
    "CrossEntropy",
    "Custom",
    "GivenCriterion",
    "GivenMetric",
    "LabelKind",
    "MeanSquaredError",
    "Measure",
    "Measurement",
    "Metric",
    "OwnLoss",
    "Targets",
    "check_metric",
    "criterion_of",
    "description",
    "description_of_metric",
    "label_kind",
    "loss_and_metric",
    "measure_of",
]

USUAL: dict[LabelKind, Criterion] = {"classes": CrossEntropy(), "numbers": MeanSquaredError()}
"""The criterion that labels of each kind are learned by where nobody says another."""
ANY: tuple[type[Criterion], ...] = (CrossEntropy, BinaryCrossEntropy, MeanSquaredError, Custom)
"""All kinds of criteria that outputs and targets tell: all but `OwnLoss`."""
