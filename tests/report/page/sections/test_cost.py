import pytest

from hypermnesia.charts.chart import specification
from hypermnesia.experiments.recorded_runs.recorded import Timing
from hypermnesia.report.page.sections.cost import memory_per_task_chart, time_per_task_chart
from tests.scene import cut, overlaps, scene


def test_times_are_means_over_seeds():
    chart = time_per_task_chart([[Timing("a", 10, 2.0, 0.5)], [Timing("a", 10, 4.0, 0.7)]])
    found = {row["what"]: (row["name"], row["seconds"]) for row in specification(chart)["data"]["values"]}
    assert found == {"learning": ("a", 3.0), "testing": ("a", 0.6)}


def test_memory_is_in_mebibytes():
    drawn = scene(memory_per_task_chart([2.0**20, 1.5 * 2**20]))
    told = [item["description"] for item in drawn.marks["symbol"]]
    assert told == ["tasks learned: 1; memory kept (MiB): 1", "tasks learned: 2; memory kept (MiB): 1.5"]


@pytest.mark.parametrize("tasks", [1, 20, 100])
def test_texts_do_not_overlap_and_are_not_cut(tasks):
    timings = [[Timing(f"task {task}", 10, 2.0, 0.5) for task in range(tasks)]]
    for chart in (time_per_task_chart(timings), memory_per_task_chart([2.0**20 + task for task in range(tasks)])):
        drawn = scene(chart)
        assert len(drawn.labels("axis-label")) > 3
        assert not overlaps(drawn.texts)
        assert not cut(drawn)
