import io

import matplotlib.image
import numpy as np
import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.report.picture import png
from hypermnesia.report.replay_grid import replay_figure


def samples(tasks: int, *shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((3, *shape), dtype=np.float32) for _ in range(tasks)]


def names(tasks: int) -> list[str]:
    return [f"mnist, permutation {number}" for number in range(1, tasks + 1)]


def shown_names(figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 8), (64,), (6, 9), (1, 1)])
def test_left_is_early_and_right_is_late_a_row_a_task(shape):
    early, late = samples(2, *shape), [1 - images for images in samples(2, *shape)]
    figure = replay_figure(early, late, names(2))
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("right after learning", "now, after 2 tasks")
    assert shown_names(figure) == names(2)
    for axes, images in ((left, early), (right, late)):
        mosaic = axes.get_images()[0].get_array()
        for top, task in ((0, 0), (len(mosaic) // 2, 1)):
            image = images[task][0].reshape(8, 8) if shape == (64,) else images[task][0]
            image = np.moveaxis(image, 0, -1) if image.ndim == 3 else image[..., None]
            height, width, _ = image.shape
            part = mosaic[top : top + height, :width]
            np.testing.assert_allclose(part, np.broadcast_to(image, part.shape))
        assert mosaic.shape[1] // 3 > width  # a gap, and three samples
    assert matplotlib.image.imread(io.BytesIO(png(figure))).ndim == 3


def test_of_many_tasks_twenty_are_shown_evenly_chosen():
    early = samples(100, 8, 8)
    figure = replay_figure(early, early, names(100))
    shown = [int(name.split()[-1]) for name in shown_names(figure)]
    assert (shown[0], shown[-1], len(shown)) == (1, 100, 20)
    assert set(np.diff(shown)) <= {5, 6}
    assert figure.axes[1].get_title() == "now, after 100 tasks"
    mosaic = figure.axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(mosaic[-9:-1, :8, 0], early[-1][0])
    assert shown_names(replay_figure(early[:20], early[:20], names(20))) == names(20)


def test_values_just_outside_are_black_and_white():
    early = [np.array([[[-0.1, 1.1]]])]
    mosaic = replay_figure(early, early, ["a"]).axes[0].get_images()[0].get_array()
    assert mosaic[0, :2, 0].tolist() == [0, 1]


@pytest.mark.parametrize("tasks", [1, 5, 100])
@pytest.mark.parametrize("shape", [(28, 28), (10, 60)])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ["a", "a long name of a task with $5_ and $6 " * 3])
def test_texts_do_not_overlap_and_are_not_cut(tasks, shape, count, name):
    images = [images[:count] for images in samples(tasks, *shape)]
    figure = replay_figure(images, images, [f"{name}{task}" for task in range(tasks)])
    figure.draw_without_rendering()
    left, right = figure.axes
    boxes = [text.get_window_extent() for text in (left.title, right.title, *left.get_yticklabels())]
    boxes += [axes.get_images()[0].get_window_extent() for axes in (left, right)]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height


@pytest.mark.parametrize("shape", [(), (65,), (2, 8, 8), (8, 8, 3), (1, 1, 8, 8)])
def test_what_is_no_image_is_refused(shape):
    images = samples(1, *shape)
    with pytest.raises(ConfigurationError, match=r"are no images: allowed are \[height, width\]"):
        replay_figure(images, images, ["a"])
