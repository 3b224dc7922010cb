"""A picture of the accuracy matrix."""

from __future__ import annotations

import altair
import numpy as np
from jaxtyping import Float64

from hypermnesia.problems import ACCURACY
from hypermnesia.report.heat_map import heat_map
from hypermnesia.report.retention import retention_chart


def accuracy_chart(matrix: Float64[np.ndarray, "learned tasks"]) -> altair.LayerChart:
    """Test accuracies after each task: a heat map, or what became of each task if only that was measured.

    Args:
        matrix: Row = after task i, column = task j, in [0, 1]; NaN = not measured.
    """
    return heat_map_of_accuracy(matrix) if is_whole(matrix) else retention_chart(matrix[None], ACCURACY)


def heat_map_of_accuracy(matrix: Float64[np.ndarray, "learned tasks"]) -> altair.LayerChart:
    """All test accuracies as colors; where rows are missing, blank."""
    return heat_map(100 * matrix, label=ACCURACY.label, x="tested on task", y="after learning task")


def is_whole(matrix: Float64[np.ndarray, "learned tasks"]) -> bool:
    """Whether every task was tested after each task since its own."""
    return not np.isnan(matrix[np.tril_indices(len(matrix))]).any()
