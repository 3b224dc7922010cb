import numpy as np
import pytest

from hypermnesia.charts.chart import specification
from hypermnesia.report.page.sections.learning import learning_curve_chart
from tests.scene import overlaps, rows, scene

STEPS = np.arange(1.0, 6.0)


def test_the_mean_with_a_band_of_one_standard_error():
    chart = learning_curve_chart(STEPS, np.array([[5.0, 4, 3, 2, 1], [7.0, 6, 5, 4, 3]]), "loss", [2])
    (row,) = rows(specification(chart))
    assert (row["step"], row["value"]) == (STEPS.tolist(), [6, 5, 4, 3, 2])
    assert (row["low"], row["high"]) == ([5, 4, 3, 2, 1], [7, 6, 5, 4, 3])
    drawn = scene(chart)
    assert {box.text for box in drawn.labels("axis-title")} == {"optimizer steps", "loss"}
    assert "area" in drawn.marks
    assert len(drawn.marks["rule"]) == 1


def test_one_seed_has_no_band_and_many_tasks_no_boundaries():
    drawn = scene(learning_curve_chart(STEPS, STEPS[None], "loss", list(range(31))))
    assert "area" not in drawn.marks
    assert "rule" not in drawn.marks


@pytest.mark.parametrize("last", [5.0, 12345.0, 5e6])
def test_labels_do_not_overlap(last):
    steps = np.linspace(1, last, 50)
    assert not overlaps(scene(learning_curve_chart(steps, steps[None], "loss", [])).texts)
