import io

import matplotlib.image
import numpy as np
import pytest

from hypermnesia.report.accuracy_matrix import accuracy_figure
from hypermnesia.report.picture import png


def triangle(tasks: int) -> np.ndarray:
    matrix = np.linspace(1, 0.5, tasks)[:, None] * np.ones(tasks)
    matrix[np.triu_indices(tasks, 1)] = np.nan
    return matrix


@pytest.mark.parametrize("tasks", [1, 5, 12, 100])
def test_a_whole_matrix_is_a_heat_map_in_percent(tasks):
    figure = accuracy_figure(triangle(tasks), "title")
    axes, bar = figure.axes
    assert axes.get_images()[0].get_clim() == (0, 100)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("tested on task", "after learning task")
    assert "%" in bar.get_ylabel()
    assert len(axes.texts) == (tasks * (tasks + 1) // 2 if tasks <= 12 else 0)
    assert matplotlib.image.imread(io.BytesIO(png(figure))).ndim == 3


@pytest.mark.parametrize("tasks", [5, 12, 20, 100, 250])
def test_labels_do_not_overlap(tasks):
    figure = accuracy_figure(triangle(tasks), "title")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels(), axes.texts):
        boxes = [label.get_window_extent() for label in labels]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_matrix_of_diagonal_and_last_row_is_two_curves():
    matrix = np.full((100, 100), np.nan)
    np.fill_diagonal(matrix, 0.9)
    matrix[-1] = 0.8
    right_after, at_the_end = accuracy_figure(matrix, "title").axes[0].lines
    np.testing.assert_allclose(right_after.get_ydata()[:-1], 90)
    np.testing.assert_allclose(at_the_end.get_ydata(), 80)
