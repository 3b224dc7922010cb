"""Metrics of continual learning, from an accuracy matrix: row = after task i, column = task j, NaN = not measured.

Averages are those of errors, too. For all others more must be better: give them minus the errors.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

Matrix = Float[np.ndarray, "tasks tasks"]


def average_accuracy(matrix: Matrix) -> float:
    """Accuracy after the last task, averaged over all tasks: (1/T) Σ_j R_{T,j}.

    Source: Lopez-Paz and Ranzato, Gradient episodic memory for continual learning, 2017, section 2.

    Example:
        >>> round(average_accuracy(np.array([[1.0, np.nan], [0.8, 0.9]])), 6)
        0.85
    """
    return float(matrix[-1].mean())


def learning_accuracy(matrix: Matrix) -> float:
    """Accuracy on each task right after it was learned, averaged: (1/T) Σ_j R_{j,j}.

    Source: Riemer et al., Learning to learn without forgetting, ICLR 2019, section 6.

    Example:
        >>> learning_accuracy(np.array([[1.0, np.nan], [0.8, 0.9]]))
        0.95
    """
    return float(matrix.diagonal().mean())


def forgetting(matrix: Matrix) -> float | None:
    """Mean loss from the best accuracy: (1/(T-1)) Σ_{j<T} (max_{j≤i<T} R_{i,j} − R_{T,j}); None for one task.

    The best is over what was measured. Negative if all tasks have become better.

    Source: Chaudhry et al., Riemannian walk for incremental learning, 2018, equation 3.

    Example:
        >>> round(forgetting(np.array([[1.0, np.nan], [0.8, 0.9]])), 6)
        0.2
    """
    if len(matrix) < 2:
        return None
    best = np.nanmax(np.tril(matrix[:-1, :-1]) + _above(len(matrix) - 1), axis=0)
    return float((best - matrix[-1, :-1]).mean())


def backward_transfer(matrix: Matrix) -> float | None:
    """Mean change by learning later tasks: (1/(T-1)) Σ_{j<T} (R_{T,j} − R_{j,j}); None for one task.

    Source: Lopez-Paz and Ranzato, Gradient episodic memory for continual learning, 2017, section 2.

    Example:
        >>> round(backward_transfer(np.array([[1.0, np.nan], [0.8, 0.9]])), 6)
        -0.2
    """
    if len(matrix) < 2:
        return None
    return float((matrix[-1] - matrix.diagonal())[:-1].mean())


def forward_transfer(matrix: Matrix, chance: Float[np.ndarray, " tasks"]) -> float | None:
    """Mean gain on a task before it is learned: (1/(T-1)) Σ_{j>1} (R_{j-1,j} − b_j).

    None if accuracy on the task to come was not measured. A learner that keeps apart what it knows by task, as a
    hypernetwork does, has no answer for a task it has not begun, so there it is not defined.

    Source: Lopez-Paz and Ranzato, Gradient episodic memory for continual learning, 2017, section 2.

    Args:
        matrix: Accuracy matrix.
        chance: Accuracies b on each task without having learned anything.

    Example:
        >>> round(forward_transfer(np.array([[1.0, 0.6], [0.8, 0.9]]), chance=np.array([0.5, 0.5])), 6)
        0.1
    """
    ahead = matrix.diagonal(offset=1)
    if len(ahead) == 0 or np.isnan(ahead).any():
        return None
    return float((ahead - chance[1:]).mean())


def _above(size: int) -> Matrix:
    """NaN above the diagonal, 0 elsewhere."""
    return np.where(np.triu(np.ones((size, size)), k=1) > 0, np.nan, 0.0)


def task_inference_accuracy(confusion: Int[np.ndarray, "tasks tasks"]) -> float:
    """Fraction of inputs whose task is inferred rightly, averaged over tasks.

    Args:
        confusion: Numbers of inputs; row = their task, column = the inferred task.

    Example:
        >>> task_inference_accuracy(np.array([[3, 1], [0, 2]]))
        0.875
    """
    return float(np.mean(np.diagonal(confusion) / confusion.sum(axis=1)))
