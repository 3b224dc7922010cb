import pytest

from hypermnesia.charts.by_task import by_task_chart
from hypermnesia.charts.chart import svg
from hypermnesia.criteria import ACCURACY
from hypermnesia.evaluation.statistics import Spread


@pytest.mark.parametrize("sem", [None, 0.01])
def test_methods_and_times_are_named_also_where_the_chart_stands_alone(sem):
    early, late = ({name: [Spread(mean, sem)] * 3 for name in ("ours", "theirs")} for mean in (0.9, 0.8))
    drawn = svg(by_task_chart(early, late, ACCURACY, ["a", "b", "c"])).decode()
    for name in ("ours", "theirs", "right after learning", "after the last task"):
        assert f">{name}<" in drawn
