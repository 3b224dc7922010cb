import io

import numpy as np
import pytest
from PIL import Image

from hypermnesia.charts.chart import png, specification, titled
from hypermnesia.charts.heat_maps import matrix_chart, task_confusion_chart
from hypermnesia.criteria import ACCURACY, ERROR
from tests.scene import cut, overlaps, rows, scene


def triangle(tasks: int) -> np.ndarray:
    matrix = np.linspace(1, 0.5, tasks)[:, None] * np.ones(tasks)
    matrix[np.triu_indices(tasks, 1)] = np.nan
    return matrix


@pytest.mark.parametrize("tasks", [1, 5, 12, 100])
def test_a_whole_matrix_is_a_heat_map_in_percent(tasks):
    chart = matrix_chart(triangle(tasks), ACCURACY)
    color = specification(chart)["layer"][0]["encoding"]["color"]
    assert color["scale"]["domain"] == [99 if tasks == 1 else 50, 100]
    drawn = scene(chart)
    assert {box.text for box in drawn.labels("axis-title")} == {"tested on task", "after learning task"}
    assert "%" in drawn.labels("legend-title")[0].text
    cells = tasks * (tasks + 1) // 2
    assert len(drawn.marks["rect"]) == cells
    assert len(drawn.labels("mark")) == (cells if tasks <= 12 else 0)
    assert "test accuracy (%): 100" in drawn.marks["rect"][0]["description"]
    assert Image.open(io.BytesIO(png(chart))).format == "PNG"


def test_rows_go_down_and_columns_to_the_right():
    matrix = np.array([[0.9, np.nan], [0.1, 0.5]])
    cells = {box.text: box for box in scene(matrix_chart(matrix, ACCURACY)).labels("mark")}
    assert set(cells) == {"90.0", "10.0", "50.0"}
    assert cells["90.0"].bottom < cells["10.0"].top
    assert cells["10.0"].right < cells["50.0"].left


def test_numbers_can_be_read_on_their_cells():
    matrix = np.array([[0.9, np.nan], [0.1, 0.5]])
    colors = {item["text"]: item["fill"] for item in scene(matrix_chart(matrix, ACCURACY)).marks["text"]}
    assert colors == {"90.0": "black", "10.0": "white", "50.0": "white"}


@pytest.mark.parametrize("tasks", [5, 12, 20, 100, 250])
def test_labels_do_not_overlap(tasks):
    drawn = scene(matrix_chart(triangle(tasks), ACCURACY))
    assert len(drawn.labels("axis-label")) > 4
    assert not overlaps(drawn.labels("axis-label") + drawn.labels("axis-title"))
    assert not overlaps(drawn.labels("mark"))


def test_a_matrix_of_diagonal_and_last_row_is_two_rows_of_points():
    matrix = np.full((100, 100), np.nan)
    np.fill_diagonal(matrix, 0.9)
    matrix[-1] = 0.8
    drawn = scene(matrix_chart(matrix, ACCURACY))
    told = [item["description"] for item in drawn.marks["symbol"]]
    early = [text for text in told if "right after learning" in text]
    late = [text for text in told if "after the last task" in text]
    assert (len(early), len(late)) == (100, 100)
    assert all("(%): 80;" in text for text in late)
    assert sum("(%): 90;" in text for text in early) == 99


def test_errors_are_points_not_colors():
    drawn = scene(matrix_chart(np.array([[0.01, np.nan], [2.5, 0.001]]), ERROR))
    assert "rect" not in drawn.marks
    assert any(ERROR.label in box.text for box in drawn.labels("axis-title"))


@pytest.mark.parametrize("tasks", [1, 5, 12, 100])
def test_counts_are_a_heat_map_in_percent_of_the_row(tasks):
    counts = np.arange(tasks * tasks).reshape(tasks, tasks) + 1
    chart = task_confusion_chart(counts)
    described = specification(chart)
    percent = np.array([row["percent"] for row in rows(described)])
    np.testing.assert_allclose(percent.sum(1), 100, atol=0.1)
    np.testing.assert_allclose(percent[-1], 100 * counts[-1] / counts[-1].sum(), atol=1e-3)
    low, high = described["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert low <= percent.min() and percent.max() <= high and high - low < np.ptp(percent) + 2
    drawn = scene(chart)
    assert {box.text for box in drawn.labels("axis-title")} == {"inferred task", "true task"}
    assert "%" in drawn.labels("legend-title")[0].text
    assert len(drawn.labels("mark")) == (tasks**2 if tasks <= 12 else 0)
    assert Image.open(io.BytesIO(png(chart))).format == "PNG"


def test_a_task_without_inputs_is_blank():
    drawn = scene(task_confusion_chart(np.array([[3, 1], [0, 0]])))
    assert [box.text for box in drawn.labels("mark")] == ["75.0", "25.0"]
    assert len(drawn.marks["rect"]) == 2


@pytest.mark.parametrize("tasks", [1, 5, 10, 12, 20, 100, 250])
@pytest.mark.parametrize("title", ["title", "a long title of many words " * 5])
def test_texts_do_not_overlap_and_are_not_cut(tasks, title):
    chart = task_confusion_chart(np.full((tasks, tasks), 7) * np.eye(tasks, dtype=int))
    drawn = scene(titled(chart, title))
    assert " ".join(title.split()) in [box.text for box in drawn.texts]
    assert not overlaps(drawn.texts)
    assert not cut(drawn)
