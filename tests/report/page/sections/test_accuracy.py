import numpy as np
import pytest

from hypermnesia.charts.chart import specification
from hypermnesia.criteria import ACCURACY
from hypermnesia.report.page.sections.accuracy import task_curves_chart
from tests.runs import triangle
from tests.scene import cut, overlaps, rows, scene


def test_a_line_for_each_task_from_when_it_was_learned():
    described = specification(task_curves_chart(triangle(3, 0.9, 0.6)[None], ACCURACY, ["a", "b", "c"]))
    found = {row["task"]: (row["after"], row["value"]) for row in rows(described)}
    assert found == {"1: a": ([1, 2, 3], [90, 75, 60]), "2: b": ([2, 3], [90, 60]), "3: c": ([3], [90])}


def test_one_of_them_can_be_chosen():
    described = specification(task_curves_chart(triangle(2)[None], ACCURACY, ["a", "b"]))
    (chosen,) = described["params"]
    assert chosen["bind"]["options"] == [None, "1: a", "2: b"]
    assert chosen["bind"]["labels"] == ["all", "1: a", "2: b"]


def test_several_seeds_have_their_mean_and_its_standard_error():
    matrices = np.stack([triangle(2, 0.9, last) for last in (0.5, 0.7)])
    first = rows(specification(task_curves_chart(matrices, ACCURACY, ["a", "b"])))[0]
    assert (first["value"], first["low"], first["high"]) == ([90, 60], [90, 50], [90, 70])
    assert first["text"] == ["90.00 ± 0.00", "60.00 ± 10.00"]


@pytest.mark.parametrize("tasks", [1, 7, 8, 20, 100])
def test_texts_do_not_overlap_and_are_not_cut(tasks):
    drawn = scene(
        task_curves_chart(triangle(tasks)[None], ACCURACY, [f"mnist, permutation {task}" for task in range(tasks)])
    )
    assert len(drawn.labels("legend-label")) <= 12
    assert len({line.get("stroke") for line in drawn.marks["line"]}) == tasks
    assert not overlaps(drawn.texts)
    assert not cut(drawn)
