import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageColor

from hypermnesia.charts.chart import png, specification, svg
from hypermnesia.experiments.many_runs.base import base_of
from hypermnesia.experiments.many_runs.compare import MethodComparison
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.learners import METHODS
from hypermnesia.report.method_table import method_curves_chart
from tests.runs import recorded
from tests.scene import cut, overlaps, rows, scene


def measured(final: float, tasks: int = 3) -> np.ndarray:
    """Accuracy 1 right after a task, `final` ever after."""
    return np.array([[final] * task + [1.0] + [np.nan] * (tasks - task - 1) for task in range(tasks)])


def comparison(finals: dict[str, list[float]], tasks: int = 3, seeds: int = 2, *, sparse: bool = False):
    """Of these methods, with one final accuracy for each finished seed; `sparse` lacks one accuracy."""
    base = base_of("split-digits", {"scenario": "class"})
    found = {}
    for name, values in finals.items():
        matrices = [measured(final, tasks) for final in values]
        for matrix in matrices if sparse else []:
            matrix[1, 0] = np.nan
        runs = (recorded(base.experiment_of(name, {"seed": seed}), matrix) for seed, matrix in enumerate(matrices))
        found[METHODS[name]] = Group(name, tuple(runs))
    return MethodComparison(base, seeds, found)


def panels(chart) -> list[dict[str, list[dict]]]:
    """Rows of data of both panels, by method."""
    found = []
    for panel in specification(chart)["hconcat"]:
        points = rows(panel)
        found.append({name: [row for row in points if row["method"] == name] for name in {r["method"] for r in points}})
    return found


def values(points: list[dict], name: str) -> list:
    return [point[name] for point in points]


def test_one_panel_for_the_first_task_and_one_for_all():
    chart = method_curves_chart(comparison({"hnet": [0.5, 0.7], "si": [0.2, 0.2]}))
    assert specification(chart)["title"] == "split-digits, class-incremental, 2 seeds"
    drawn = scene(chart)
    titles = [box.text for box in drawn.texts if box.role == "title-text"]
    assert set(titles) == {"split-digits, class-incremental, 2 seeds", "the first task", "all tasks so far, averaged"}
    assert [box.text for box in drawn.labels("axis-title")].count("tasks learned") == 2
    assert "test accuracy (%)" in [box.text for box in drawn.labels("axis-title")]
    left, right = panels(chart)
    np.testing.assert_allclose(values(left["HNET"], "mean"), [100, 60, 60])
    np.testing.assert_allclose(values(left["SI"], "mean"), [100, 20, 20])
    np.testing.assert_allclose(values(right["HNET"], "mean"), [100, 80, 220 / 3], atol=1e-3)
    # Beside each other within less than half a task.
    for points in left.values():
        np.testing.assert_allclose(values(points, "x"), [1, 2, 3], atol=0.2)
    assert left["HNET"][0]["x"] < left["SI"][0]["x"]


def test_the_band_is_one_standard_error_to_either_side():
    chart = method_curves_chart(comparison({"hnet": [0.5, 0.7]}))
    left, _ = panels(chart)
    assert list(zip(values(left["HNET"], "low"), values(left["HNET"], "high"), strict=True)) == [
        (100, 100),
        (50, 70),
        (50, 70),
    ]
    assert "area" in scene(chart).marks
    assert "area" not in scene(method_curves_chart(comparison({"hnet": [0.5]}, seeds=1))).marks


def test_what_was_not_measured_is_passed_over():
    found = comparison({"hnet": [0.5, 0.7]}, sparse=True)
    left, right = panels(method_curves_chart(found))
    assert values(left["HNET"], "tasks") == values(right["HNET"], "tasks") == [1, 3]
    np.testing.assert_allclose(values(left["HNET"], "mean"), [100, 60])


def test_the_legend_names_methods_from_best_to_worst_and_hides_nothing():
    finals = {"si": [0.2], "hnet": [0.9], "ewc": [], "joint": [0.95]}
    drawn = scene(method_curves_chart(comparison(finals, seeds=1)))
    legend = drawn.labels("legend-label")
    assert [box.text for box in sorted(legend, key=lambda box: box.top)] == ["joint", "HNET", "SI"]
    plotted = max(box.right for box in drawn.labels("axis-label"))
    assert min(box.left for box in legend) > plotted
    assert not cut(drawn)


def test_all_methods_look_different_and_have_room():
    drawn = scene(method_curves_chart(comparison({name: [0.5, 0.5] for name in METHODS})))
    lines = drawn.marks["line"][:: len(drawn.marks["line"]) // (2 * len(METHODS))][: len(METHODS)]
    points = {item["description"].partition("method: ")[2].partition(";")[0]: item for item in drawn.marks["symbol"]}
    looks = {(line["stroke"], str(line.get("strokeDash"))) for line in lines}
    shapes = {name: (item["fill"], str(item["shape"])) for name, item in points.items()}
    assert len(points) == len(set(shapes.values())) == len(METHODS)
    assert len(looks) > len(METHODS) / 2
    assert all(a[1] != b[1] for a, b in itertools.combinations(shapes.values(), 2) if a[0] == b[0])
    # Pale lines cannot be seen on white: relative luminance.
    colors = [np.array(ImageColor.getrgb(color)) / 255 for color, _ in shapes.values()]
    assert all(np.dot(color, [0.2126, 0.7152, 0.0722]) < 0.75 for color in colors)
    # All agree, and yet no point hides another.
    last = [item for item in drawn.marks["symbol"] if "tasks learned: 3" in item["description"]]
    assert len({round(item["x"], 2) for item in last[: len(METHODS)]}) == len(METHODS)
    assert not overlaps(drawn.labels("legend-label"))
    assert not cut(drawn)


@pytest.mark.parametrize("tasks", [1, 10, 100, 250])
def test_tick_labels_are_whole_tasks_and_do_not_overlap(tasks):
    drawn = scene(method_curves_chart(comparison({"hnet": [0.5], "si": [0.3]}, tasks, seeds=1)))
    bottom = max(box.top for box in drawn.labels("axis-label"))
    ticks = [box for box in drawn.labels("axis-label") if box.top > bottom - 2]
    assert ticks
    assert all(1 <= int(box.text) <= tasks for box in ticks)
    assert len({(box.text, round(box.left)) for box in ticks}) == len(ticks)
    assert not overlaps(ticks)


def test_nothing_finished_is_no_picture():
    assert method_curves_chart(comparison({"hnet": []})) is None


def test_a_picture_is_written_as_png_and_the_same_each_time_as_svg():
    once, again = (method_curves_chart(comparison({"hnet": [0.5, 0.7]})) for _ in range(2))
    assert svg(once) == svg(again)
    assert b"<svg" in svg(once)
    assert Image.open(io.BytesIO(png(once))).format == "PNG"
