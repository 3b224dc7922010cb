import csv
import io

import numpy as np
import pytest
from rich.console import Console

from hypermnesia.analyses.compression import CompressionStudy, Size, compression_chart, compression_sheet
from hypermnesia.analyses.sheet import as_csv, markdown, print_sheet
from hypermnesia.charts.chart import specification, svg
from hypermnesia.experiments.many_runs.base import base_of
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.settings.sources import assignments
from tests.runs import load, recorded

RATIOS = (0.1, 0.5, 2.0)


def study(accuracies: dict[str, list[float]], *overrides: str, seeds: int = 2):
    """A study whose runs, by name, had these average accuracies at the end, one for each seed."""

    def found(name: str) -> Group:
        weights = round(990 * float(name.rpartition("-")[2]))
        matrices = [np.array([[x + 0.04, np.nan], [x - 0.04, x + 0.04]]) for x in accuracies.get(name, ())]
        runs = [
            recorded(load("split-digits", [f"seed={seed}"]), matrix, num_weights=weights)
            for seed, matrix in enumerate(matrices)
        ]
        return Group(name, tuple(runs))

    base = base_of("split-digits", assignments(overrides))
    sizes = tuple(Size(r, found(f"hnet-{r:g}"), found(f"separate-{r:g}"), (7, 7)) for r in RATIOS)
    return CompressionStudy(base, seeds, 1000, (200, 200), 5, sizes, ("compression 0.01 cannot be met",))


WHOLE = {f"{name}-{ratio:g}": [0.90, 0.94] for name in ("hnet", "separate") for ratio in RATIOS}


def marks(chart) -> list[dict]:
    """The points of all series."""
    layers = specification(chart)["layer"]
    return next(layer for layer in layers if "layer" in layer)["data"]["values"]


def test_points_are_at_the_measured_ratio_with_one_standard_error_to_either_side():
    points = marks(compression_chart(study(WHOLE)))
    assert len(points) == 9
    ours = [point for point in points if point["series"] == "hypernetwork, after all tasks"]
    assert [point["x"] for point in ours] == pytest.approx([0.099, 0.495, 1.98])
    assert [ours[0][key] for key in ("low", "accuracy", "high")] == pytest.approx([90, 92, 94])
    assert (ours[0]["asked"], ours[0]["weights"], ours[0]["text"]) == ("0.1", "99", "92.00 ± 2.00")
    before = next(point for point in points if "right after" in point["series"])
    assert before["accuracy"] == pytest.approx(96)


def test_one_target_network_is_marked_where_it_is_within_the_picture():
    assert b"one target network" in svg(compression_chart(study(WHOLE)))
    small = {name: values for name, values in WHOLE.items() if not name.endswith("-2")}
    assert b"one target network" not in svg(compression_chart(study(small)))


def test_the_picture_says_what_the_standard_networks_are_only_where_they_are():
    text = svg(compression_chart(study(WHOLE, "training.iterations=9", "learner.beta=1"))).decode()
    assert "a standard network for each task" in text
    assert "All ran with training.iterations=9." in text and "Hypernetworks ran with learner.beta=1." in text
    text = svg(compression_chart(study({"hnet-0.5": [0.9, 0.9]}))).decode()
    assert "a standard network for each task" not in text


def test_what_has_not_finished_is_left_empty():
    part = study({"hnet-0.1": [0.9, 0.94], "separate-0.1": [0.9]})
    sheet = compression_sheet(part)
    assert sheet.rows[0] == ["0.1", "0.099", "99", "96.00 ± 2.00", "92.00 ± 2.00", "7-7", "99", "90.00", "1 of 2"]
    assert sheet.rows[1] == ["0.5", "", "", "", "", "7-7", "", "", "0 of 2"]
    first, second, _ = csv.DictReader(io.StringIO(as_csv(sheet)))
    assert (float(first["at_end_percent"]), float(first["at_end_sem"])) == pytest.approx((92, 2))
    assert (first["standard_sem"], second["ratio"], second["seeds"]) == ("", "", "0")
    assert compression_chart(study({})) is None
    assert "![" not in markdown(sheet, drawn=False) and "![" in markdown(sheet, drawn=True)
    assert "Left out: compression 0.01 cannot be met." in markdown(sheet, drawn=True)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_figure_is_printed_however_narrow_the_terminal(width):
    console = Console(file=io.StringIO(), width=width)
    sheet = compression_sheet(study(WHOLE))
    print_sheet(console, sheet)
    text = console.file.getvalue()
    assert all(cell in text for row in sheet.rows for cell in row)
    assert all(len(line) <= width for line in text.partition("Ratio:")[0].splitlines())
