import pytest

from hypermnesia.criteria import ACCURACY
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.report.page.sections.comparison import ranking_chart
from tests.scene import cut, overlaps, scene

FIGURES = {"worst": Spread(0.2, None), "best": Spread(0.9, 0.05), "middle": Spread(0.5, 0.01)}


@pytest.mark.parametrize("descending", [True, False])
def test_the_best_stands_above(descending):
    order = ["best", "middle", "worst"] if descending else ["worst", "middle", "best"]
    drawn = scene(ranking_chart(FIGURES, ACCURACY, "what it is (%)", descending=descending))
    names = [box for box in drawn.labels("axis-label") if box.text in FIGURES]
    assert [box.text for box in sorted(names, key=lambda box: box.top)] == order
    assert [box.text for box in drawn.labels("axis-title")] == ["what it is (%)"]
    nothing, small, large = sorted(abs(item["x2"] - item["x"]) for item in drawn.marks["rule"])
    assert nothing == 0
    assert large == pytest.approx(5 * small)


@pytest.mark.parametrize("count", [2, 40])
def test_texts_do_not_overlap_and_are_not_cut(count):
    drawn = scene(
        ranking_chart({f"split-mnist_hnet-{n}": Spread(n / 50, 0.01) for n in range(count)}, ACCURACY, "accuracy (%)")
    )
    assert len(drawn.marks["symbol"]) == count
    assert not overlaps(drawn.texts)
    assert not cut(drawn)
