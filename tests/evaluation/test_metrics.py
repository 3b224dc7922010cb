"""Metrics on matrices small enough to work out by hand."""

import numpy as np
import pytest

from hypermnesia.evaluation import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
    learning_accuracy,
)

NAN = np.nan
MATRIX = np.array([[0.8, NAN, NAN], [0.9, 0.7, NAN], [0.6, 0.5, 0.4]])


def test_values_by_hand():
    assert average_accuracy(MATRIX) == pytest.approx((0.6 + 0.5 + 0.4) / 3)
    assert learning_accuracy(MATRIX) == pytest.approx((0.8 + 0.7 + 0.4) / 3)
    assert forgetting(MATRIX) == pytest.approx(((0.9 - 0.6) + (0.7 - 0.5)) / 2)
    assert backward_transfer(MATRIX) == pytest.approx(((0.6 - 0.8) + (0.5 - 0.7)) / 2)


def test_only_diagonal_and_last_row_measured():
    sparse = np.array([[0.8, NAN, NAN], [NAN, 0.7, NAN], [0.6, 0.5, 0.4]])
    assert forgetting(sparse) == pytest.approx(((0.8 - 0.6) + (0.7 - 0.5)) / 2)
    assert backward_transfer(sparse) == backward_transfer(MATRIX)


def test_forgetting_is_negative_where_old_tasks_became_better():
    assert forgetting(np.array([[0.5, NAN], [0.75, 1.0]])) == -0.25


def test_forward_transfer_needs_answers_about_tasks_to_come():
    chance = np.array([0.5, 0.5, 0.5])
    assert forward_transfer(MATRIX, chance) is None
    complete = np.array([[0.8, 0.6, 0.5], [0.9, 0.7, 0.4], [0.6, 0.5, 0.4]])
    assert forward_transfer(complete, chance) == pytest.approx(((0.6 - 0.5) + (0.4 - 0.5)) / 2)


def test_one_task_has_nothing_to_forget():
    one = np.array([[0.9]])
    assert average_accuracy(one) == 0.9
    assert forgetting(one) is None
    assert backward_transfer(one) is None
    assert forward_transfer(one, np.array([0.5])) is None
