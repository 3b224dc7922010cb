import io

import numpy as np
import pytest
from PIL import Image

from hypermnesia.report.charts.chart import png, specification, titled
from hypermnesia.report.charts.task_confusion import task_confusion_chart
from tests.report.scene import cut, overlaps, rows, scene


@pytest.mark.parametrize("tasks", [1, 5, 12, 100])
def test_counts_are_a_heat_map_in_percent_of_the_row(tasks):
    counts = np.arange(tasks * tasks).reshape(tasks, tasks) + 1
    chart = task_confusion_chart(counts)
    described = specification(chart)
    percent = np.array([row["percent"] for row in rows(described)])
    np.testing.assert_allclose(percent.sum(1), 100, atol=0.1)
    np.testing.assert_allclose(percent[-1], 100 * counts[-1] / counts[-1].sum(), atol=1e-3)
    assert described["layer"][0]["encoding"]["color"]["scale"]["domain"] == [0, 100]
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
