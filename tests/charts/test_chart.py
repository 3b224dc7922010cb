import numpy as np
import pytest

from hypermnesia.charts.heat_maps import heat_map_of_accuracy
from hypermnesia.charts.retention import retention_chart
from hypermnesia.criteria import ACCURACY, ERROR
from hypermnesia.report.page.sections.learning import learning_curve_chart
from tests.scene import Scene, scene


def heights(drawn: Scene) -> list[float]:
    """Numbers at the ticks of the upright axis, which end at the same place."""
    labels = drawn.labels("axis-label")
    left = min(box.right for box in labels)
    return [float(box.text.replace("\N{MINUS SIGN}", "-")) for box in labels if box.right - left < 1]


@pytest.mark.parametrize("value", [99.44, 0.35, 100.0, 0.0, 50.0, -3.0])
def test_where_all_values_agree_the_labels_of_ticks_tell_where_they_are(value):
    found = heights(scene(learning_curve_chart(np.arange(1.0, 6.0), np.full((1, 5), value), "loss", [])))
    assert len(set(found)) == len(found) > 2
    assert min(found) <= value <= max(found)
    assert max(found) - min(found) <= max(2, abs(value) / 10)


@pytest.mark.parametrize(("value", "metric"), [(1.0, ACCURACY), (0.9944, ACCURACY), (0.0003, ERROR)])
def test_so_they_do_for_accuracies_and_errors(value, metric):
    found = heights(scene(retention_chart(np.full((1, 3, 3), value), metric)))
    assert len(set(found)) == len(found) > 2
    assert min(found) <= metric.factor * value <= max(found)
    assert metric is ERROR or max(found) <= 100


def test_colors_of_a_heat_map_tell_what_was_forgotten():
    fills = [item["fill"] for item in scene(heat_map_of_accuracy(np.array([[1, np.nan], [0.986, 1]]))).marks["rect"]]
    assert (len(fills), len(set(fills))) == (3, 2)
    alike = scene(heat_map_of_accuracy(np.array([[1, np.nan], [1, 1.0]])))
    assert len({item["fill"] for item in alike.marks["rect"]}) == 1
