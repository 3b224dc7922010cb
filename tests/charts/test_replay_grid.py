import base64
import io

import numpy as np
import pytest
from PIL import Image

from hypermnesia.charts.chart import png, specification
from hypermnesia.charts.replay_grid import replay_chart
from hypermnesia.errors import ConfigurationError
from tests.scene import cut, overlaps, rows, scene


def samples(tasks: int, *shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((3, *shape), dtype=np.float32) for _ in range(tasks)]


def names(tasks: int) -> list[str]:
    return [f"mnist, permutation {number}" for number in range(1, tasks + 1)]


def strips(chart, height: int = 8) -> dict[str, dict[str, np.ndarray]]:
    """The images, `[height, width, 4]` in [0, 1], by when and task, each pixel once."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for row in rows(specification(chart)):
        image = Image.open(io.BytesIO(base64.b64decode(row["image"].removeprefix("data:image/png;base64,"))))
        times = image.height // height
        found.setdefault(row["when"], {})[row["task"]] = np.asarray(image)[::times, ::times] / 255
    return found


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 8), (64,), (6, 9), (1, 1)])
def test_left_is_early_and_right_is_late_a_row_a_task(shape):
    early, late = samples(2, *shape), [1 - images for images in samples(2, *shape)]
    chart = replay_chart(early, late, names(2))
    height = 8 if shape == (64,) else shape[-2]
    shown = strips(chart, height)
    assert list(shown) == ["right after learning", "now, after 2 tasks"]
    for of_all, images in zip(shown.values(), (early, late), strict=True):
        assert list(of_all) == [f"{number}: mnist, permutation {number}" for number in (1, 2)]
        for strip, each in zip(of_all.values(), images, strict=True):
            image = each[0].reshape(8, 8) if shape == (64,) else each[0]
            image = np.moveaxis(image, 0, -1) if image.ndim == 3 else image[..., None]
            width = image.shape[1]
            part = strip[:, :width, :3]
            np.testing.assert_allclose(part, np.broadcast_to(image, part.shape), atol=0.003)
            assert strip.shape[0] == height
            assert strip.shape[1] > 3 * width  # a gap between each of three samples
            assert not strip[:, width, 3].any()
    drawn = scene(chart)
    heads = {box.text: box for box in drawn.labels("axis-label")}
    assert heads["right after learning"].right < heads["now, after 2 tasks"].left
    assert heads["1: mnist, permutation 1"].bottom < heads["2: mnist, permutation 2"].top
    assert len(drawn.marks["image"]) == 4
    assert Image.open(io.BytesIO(png(chart))).format == "PNG"


def test_the_images_are_drawn():
    white, black = [np.ones((3, 8, 8), np.float32)], [np.zeros((3, 8, 8), np.float32)]
    picture = np.asarray(Image.open(io.BytesIO(png(replay_chart(black, white, ["a"])))).convert("L"))
    row = picture[picture.shape[0] * 3 // 4]
    left, right = np.array_split(row[len(row) // 10 :], 2)
    assert (left < 10).mean() > 0.6
    assert (right > 245).mean() > 0.9


def test_of_many_tasks_twenty_are_shown_evenly_chosen():
    early = samples(100, 8, 8)
    shown = strips(replay_chart(early, early, names(100)))
    assert list(shown)[1] == "now, after 100 tasks"
    tasks = [int(name.split(":")[0]) for name in shown["right after learning"]]
    assert (tasks[0], tasks[-1], len(tasks)) == (1, 100, 20)
    assert set(np.diff(tasks)) <= {5, 6}
    last = shown["right after learning"]["100: mnist, permutation 100"]
    np.testing.assert_allclose(last[:, :8, 0], early[-1][0], atol=0.003)
    assert len(strips(replay_chart(early[:20], early[:20], names(20)))["right after learning"]) == 20


def test_of_normalized_images_the_least_is_black_and_the_largest_white_in_all_of_them():
    early, late = [np.array([[[-2.0, 0.0]]]), np.array([[[1.0, 1.5]]])], [np.array([[[2.0, 0.0]]])] * 2
    shown = [list(of_all.values()) for of_all in strips(replay_chart(early, late, ["a", "b"]), 1).values()]
    found = [strip[0, :2, 0].tolist() for of_all in shown for strip in of_all]
    np.testing.assert_allclose(found, [[0, 0.5], [0.75, 0.875], [1, 0.5], [1, 0.5]], atol=0.003)


@pytest.mark.parametrize("tasks", [1, 5, 100])
@pytest.mark.parametrize("shape", [(28, 28), (10, 60)])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ["a", "a long name of a task with $5_ and $6 " * 3])
def test_texts_do_not_overlap_and_are_not_cut(tasks, shape, count, name):
    images = [images[:count] for images in samples(tasks, *shape)]
    drawn = scene(replay_chart(images, images, [f"{name}{task}" for task in range(tasks)]))
    assert len(drawn.labels("axis-label")) == min(tasks, 20) + 2
    assert not overlaps(drawn.texts)
    assert not cut(drawn)
    # No image lies over another or over a name.
    images = sorted((round(item["x"], 1), round(item["y"], 1)) for item in drawn.marks["image"])
    assert len(set(images)) == len(images) == 2 * min(tasks, 20)
    assert min(x for x, _ in images) >= max(box.right for box in drawn.labels("axis-label") if ":" in box.text) - 4


@pytest.mark.parametrize("shape", [(), (65,), (2, 8, 8), (8, 8, 3), (1, 1, 8, 8)])
def test_what_is_no_image_is_refused(shape):
    images = samples(1, *shape)
    with pytest.raises(ConfigurationError, match=r"are no images: allowed are \[height, width\]"):
        replay_chart(images, images, ["a"])
