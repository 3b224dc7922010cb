import numpy as np
import pytest

from hypermnesia.charts.retention import retention_chart
from hypermnesia.criteria import ACCURACY
from tests.runs import triangle
from tests.scene import cut, overlaps, scene


def points(drawn) -> list[str]:
    return [item["description"] for item in drawn.marks["symbol"]]


def test_each_task_right_after_it_and_at_the_end():
    drawn = scene(retention_chart(triangle(3, 0.9, 0.6)[None], ACCURACY, ["a", "b", "c"]))
    told = points(drawn)
    assert len(told) == 6
    assert sum("(%): 90; when: right after learning" in text for text in told) == 3
    assert sum("(%): 60; when: after the last task" in text for text in told) == 2
    assert len(drawn.marks["rule"]) == 3
    heights = [abs(rule["y2"] - rule["y"]) for rule in drawn.marks["rule"]]
    assert heights[0] == heights[1] > heights[2] == 0


def test_several_seeds_have_their_mean_and_its_standard_error():
    matrices = np.stack([triangle(3, 0.9, last) for last in (0.5, 0.7)])
    drawn = scene(retention_chart(matrices, ACCURACY))
    assert sum("(%): 60;" in text for text in points(drawn)) == 2
    bars = drawn.marks["rule"][3:]
    assert len(bars) == 6
    # One standard error, 10, to either side of 60, on the scale on which right after learning is 90.
    way = drawn.marks["rule"][0]
    lengths = sorted(abs(bar["y2"] - bar["y"]) for bar in bars)
    assert lengths == pytest.approx([0] * 4 + [abs(way["y2"] - way["y"]) * 20 / 30] * 2)


@pytest.mark.parametrize("tasks", [1, 5, 20, 100, 250])
def test_texts_do_not_overlap_and_are_not_cut(tasks):
    drawn = scene(retention_chart(triangle(tasks)[None], ACCURACY))
    assert len(drawn.marks["symbol"]) == 2 * tasks
    assert not overlaps(drawn.texts)
    assert not cut(drawn)
