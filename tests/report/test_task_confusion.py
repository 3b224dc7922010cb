import io

import matplotlib.image
import numpy as np
import pytest

from hypermnesia.report.picture import png
from hypermnesia.report.task_confusion import task_confusion_figure


@pytest.mark.parametrize("tasks", [1, 5, 12, 100])
def test_counts_are_a_heat_map_in_percent_of_the_row(tasks):
    counts = np.arange(tasks * tasks).reshape(tasks, tasks) + 1
    figure = task_confusion_figure(counts, "title")
    axes, bar = figure.axes
    image = axes.get_images()[0]
    np.testing.assert_allclose(image.get_array().sum(1), 100)
    np.testing.assert_allclose(image.get_array()[-1], 100 * counts[-1] / counts[-1].sum())
    assert image.get_clim() == (0, 100)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("inferred task", "true task", "title")
    assert "%" in bar.get_ylabel()
    assert len(axes.texts) == (tasks**2 if tasks <= 12 else 0)
    assert matplotlib.image.imread(io.BytesIO(png(figure))).ndim == 3


def test_a_task_without_inputs_is_blank():
    axes = task_confusion_figure(np.array([[3, 1], [0, 0]]), "title").axes[0]
    assert [text.get_text() for text in axes.texts] == ["75.0", "25.0"]
    assert axes.get_images()[0].get_array().mask.tolist() == [[False, False], [True, True]]


@pytest.mark.parametrize("tasks", [1, 5, 10, 12, 20, 100, 250])
@pytest.mark.parametrize("title", ["title", "a long title of many words " * 5])
def test_texts_do_not_overlap_and_are_not_cut(tasks, title):
    figure = task_confusion_figure(np.full((tasks, tasks), 7) * np.eye(tasks, dtype=int), title)
    figure.draw_without_rendering()
    axes, bar = figure.axes
    cells = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(cells) for b in cells[:i])
    around = [axes.title, axes.xaxis.label, axes.yaxis.label, bar.yaxis.label]
    around += [*axes.get_xticklabels(), *axes.get_yticklabels(), *bar.get_yticklabels()]
    boxes = [text.get_window_extent().padded(-1.5) for text in around]  # without the air in a text's box
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
