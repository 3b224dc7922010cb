"""A picture of the accuracy matrix, or of errors."""

from __future__ import annotations

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.problems import ACCURACY, Metric
from hypermnesia.report.charts.heat_map import heat_map
from hypermnesia.report.charts.retention import retention_chart


def matrix_chart(matrix: Float64[np.ndarray, "learned tasks"], metric: Metric) -> altair.LayerChart:
    """Test accuracies after each task: a heat map. What became of each task, if only that was measured, or errors were.

    Args:
        matrix: Row = after task i, column = task j; NaN = not measured.
        metric: What it holds. Colors of errors would tell little: they may differ by orders of magnitude.
    """
    whole = metric is ACCURACY and is_whole(matrix)
    return heat_map_of_accuracy(matrix) if whole else retention_chart(matrix[None], metric)


def heat_map_of_accuracy(matrix: Float64[np.ndarray, "learned tasks"]) -> altair.LayerChart:
    """All test accuracies as colors; where rows are missing, blank."""
    return heat_map(100 * matrix, label=ACCURACY.label, x="tested on task", y="after learning task")


def is_whole(matrix: Float64[np.ndarray, "learned tasks"]) -> bool:
    """Whether every task was tested after each task since its own."""
    return not np.isnan(matrix[np.tril_indices(len(matrix))]).any()
