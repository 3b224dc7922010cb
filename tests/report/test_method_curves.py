import io
import itertools

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from hypermnesia.experiments.compare import MethodComparison, MethodFigures
from hypermnesia.experiments.methods import METHODS, base_of
from hypermnesia.report.method_curves import method_curves_figure
from hypermnesia.report.picture import png, svg


def summary(final: float, tasks: int = 3) -> dict:
    """Accuracy 1 right after a task, `final` ever after."""
    return {"accuracy": [[final] * i + [1.0] + [None] * (tasks - i - 1) for i in range(tasks)]}


def comparison(finals: dict[str, list[float]], tasks: int = 3, seeds: int = 2) -> MethodComparison:
    """Of these methods, with one final accuracy for each finished seed."""
    methods = (
        MethodFigures(METHODS[name], "p", (), True, tuple(summary(final, tasks) for final in values))
        for name, values in finals.items()
    )
    return MethodComparison(base_of("split-digits", ["scenario=class"]), seeds, tuple(methods))


def test_one_panel_for_the_first_task_and_one_for_all():
    figure = method_curves_figure(comparison({"hnet": [0.5, 0.7], "si": [0.2, 0.2]}))
    left, right = figure.axes
    assert figure.get_suptitle() == "split-digits, class-incremental, 2 seeds"
    assert (left.get_title(), right.get_title()) == ("the first task", "all tasks so far, averaged")
    assert left.get_xlabel() == right.get_xlabel() == "tasks learned"
    assert left.get_ylabel() == "test accuracy (%)"
    hnet, si = left.lines
    np.testing.assert_allclose(hnet.get_ydata(), [100, 60, 60])
    np.testing.assert_allclose(si.get_ydata(), [100, 20, 20])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [100, 80, 220 / 3])
    # Beside each other within less than half a task.
    for line in (hnet, si):
        np.testing.assert_allclose(line.get_xdata(), [1, 2, 3], atol=0.2)
    assert hnet.get_xdata()[0] < si.get_xdata()[0]


def test_the_band_is_one_standard_error_to_either_side():
    figure = method_curves_figure(comparison({"hnet": [0.5, 0.7]}))
    (band,) = figure.axes[0].collections
    heights = {round(float(y), 6) for y in band.get_paths()[0].vertices[:, 1]}
    assert heights == {100, 50, 70}
    assert not method_curves_figure(comparison({"hnet": [0.5]}, seeds=1)).axes[0].collections


def test_what_was_not_measured_is_passed_over():
    found = comparison({"hnet": [0.5, 0.7]})
    for each in found.methods[0].summaries:
        each["accuracy"][1][0] = None
    left, right = method_curves_figure(found).axes
    np.testing.assert_allclose(left.lines[0].get_xdata(), [1, 3])
    np.testing.assert_allclose(left.lines[0].get_ydata(), [100, 60])
    np.testing.assert_allclose(right.lines[0].get_xdata(), [1, 3])


def test_the_legend_names_methods_from_best_to_worst_and_hides_nothing():
    finals = {"si": [0.2], "hnet": [0.9], "ewc": [], "joint": [0.95]}
    figure = method_curves_figure(comparison(finals, seeds=1))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["joint", "HNET", "SI"]
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_window_extent()) for axes in figure.axes)
    assert box.x1 <= figure.bbox.x1
    assert 0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_all_methods_look_different_and_have_room():
    figure = method_curves_figure(comparison({name: [0.5, 0.5] for name in METHODS}))
    lines = figure.axes[0].lines
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(looks) == len(METHODS)
    assert all(
        a.get_marker() != b.get_marker() for a, b in itertools.combinations(lines, 2) if a.get_color() == b.get_color()
    )
    # Pale lines cannot be seen on white: relative luminance.
    assert all(np.dot(to_rgb(line.get_color()), [0.2126, 0.7152, 0.0722]) < 0.75 for line in lines)
    # All agree, and yet no point hides another.
    assert len({float(line.get_xdata()[2]) for line in lines}) == len(METHODS)
    figure.draw_without_rendering()
    texts = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(texts, 2))
    assert max(box.y1 for box in texts) <= figure.bbox.y1


@pytest.mark.parametrize("tasks", [1, 10, 100, 250])
def test_tick_labels_are_whole_tasks_and_do_not_overlap(tasks):
    figure = method_curves_figure(comparison({"hnet": [0.5], "si": [0.3]}, tasks, seeds=1))
    figure.draw_without_rendering()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == round(tick) for tick in ticks)
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_nothing_finished_is_no_picture():
    assert method_curves_figure(comparison({"hnet": []})) is None


def test_a_picture_is_written_as_png_and_the_same_each_time_as_svg():
    once, again = (method_curves_figure(comparison({"hnet": [0.5, 0.7]})) for _ in range(2))
    assert svg(once) == svg(again)
    assert b"<svg" in svg(once)
    assert matplotlib.image.imread(io.BytesIO(png(once))).ndim == 3
