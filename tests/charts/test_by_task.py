import pytest

from hypermnesia.charts.by_task import by_task_chart, transfer_chart
from hypermnesia.charts.chart import svg
from hypermnesia.criteria import ACCURACY
from hypermnesia.evaluation.statistics import Spread


@pytest.mark.parametrize("sem", [None, 0.01])
def test_methods_and_times_are_named_also_where_the_chart_stands_alone(sem):
    early, late = ({name: [Spread(mean, sem)] * 3 for name in ("ours", "theirs")} for mean in (0.9, 0.8))
    drawn = svg(by_task_chart(early, late, ACCURACY, ["a", "b", "c"])).decode()
    for name in ("ours", "theirs", "right after learning", "after the last task"):
        assert f">{name}<" in drawn


def test_each_of_many_groups_is_once_in_the_legend():
    names = [f"group {number:02}" for number in range(22)]
    gains = {name: [Spread(0.1, None)] * 3 for name in names}
    drawn = svg(transfer_chart(gains, "gain", ACCURACY, "abc", names)).decode()
    assert [drawn.count(f">{name}<") for name in names] == [1] * len(names)
