import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hypermnesia.analyses.sheet import as_csv, print_sheet, write_sheet
from hypermnesia.analyses.sheet import markdown as markdown_of
from hypermnesia.experiments.many_runs.base import base_of
from hypermnesia.experiments.many_runs.compare import MethodComparison
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import Timing
from hypermnesia.experiments.settings.sources import assignments
from hypermnesia.learners import METHODS
from hypermnesia.report.method_table import method_curves_chart, method_sheet
from tests.runs import recorded

NAN = np.nan
MATRIX = np.array([[1.0, NAN, NAN], [0.9, 1.0, NAN], [0.8, 0.9, 1.0]])  # average 0.9, forgetting 0.15
WORSE = np.array([[0.6, NAN, NAN], [0.65, 0.9, NAN], [0.6, 0.8, 1.0]])  # average 0.8, forgetting 0.075
SMALL = {"memory_bytes": [2000, 2100, 2384], "num_weights": 1234567}
LARGE = {"memory_bytes": [2**20, 3 * 2**20, 5 * 2**20], "num_weights": 5}


def comparison(*overrides: str, left_out: tuple[str, ...] = ()) -> MethodComparison:
    """Two runs of one method, one of another and none of a third, a thousand steps each."""
    base = base_of("split-digits", assignments(["scenario=class", *overrides]))

    def run(name: str, seed: int, matrix: np.ndarray, seconds: float, summary: dict):
        found = recorded(base.experiment_of(name, {"seed": seed}), matrix, **summary)
        timing = [Timing(each.task, 500, seconds / 2, 0.1) for each in found.timing]
        return dataclasses.replace(found, timing=timing)

    hnet = Group("hnet", (run("hnet", 0, MATRIX, 2.5, SMALL), run("hnet", 1, WORSE, 2.5, SMALL)))
    si = Group("si", (run("si", 0, MATRIX, 3.5, LARGE),))
    found = {METHODS["hnet"]: hnet, METHODS["si"]: si, METHODS["ewc"]: Group("ewc")}
    return MethodComparison(base, 2, found, left_out)


def printed(width: int, found: MethodComparison | None = None, **console) -> str:
    file = io.StringIO()
    print_sheet(Console(file=file, width=width, **console), method_sheet(found or comparison()))
    return file.getvalue()


def markdown(found: MethodComparison) -> str:
    return markdown_of(method_sheet(found), drawn=method_curves_chart(found) is not None)


def write(directory: Path, found: MethodComparison) -> list[Path]:
    return write_sheet(directory, method_sheet(found), method_curves_chart(found))


CELLS = {
    "HNET": ["85.00 ± 5.00", "11.25 ± 3.75", "2.50", "2.33 KiB", "0.19 KiB", "1,234,567", "2"],
    "SI": ["90.00", "15.00", "3.50", "5.00 MiB", "2.00 MiB", "5", "1 of 2"],
    "EWC": ["", "", "", "", "", "", "0 of 2"],
}


def test_a_wide_console_shows_one_table():
    text, _, _ = printed(120).partition("Test accuracy")
    lines = [line.strip() for line in text.splitlines()]
    for method, cells in CELLS.items():
        (row,) = [line for line in lines if line.split()[:1] == [method]]
        assert row.split() == [method, *" ".join(cells).split()]
    head = " ".join(lines)
    for word in ("accuracy", "forgetting", "step (ms)", "memory", "further task", "weights", "seeds"):
        assert word in head


@pytest.mark.parametrize("width", [50, 80, 100])
def test_a_narrow_console_shows_all_of_it_in_several_tables(width):
    text, _, _ = printed(width).partition("Test accuracy")
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for figure in CELLS["HNET"][:-1]:
        assert text.count(figure) == 1, figure


def test_colors_are_for_terminals_only():
    assert "\x1b[" not in printed(80)
    assert "\x1b[" in printed(80, force_terminal=True)


def test_markdown_has_a_row_for_each_method():
    text = markdown(comparison())
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    head, rule, *body = rows
    assert head == [
        *("method", "accuracy (%)", "forgetting (%)", "time per step (ms)", "memory kept"),
        *("memory per further task", "trainable weights", "seeds"),
    ]
    assert rule == ["---", *["---:"] * 7]
    assert {row[0]: row[1:] for row in body} == CELLS
    assert text.startswith("# split-digits, class-incremental\n")
    assert "(comparison.svg)" in text


def test_csv_holds_every_figure_and_how_to_run_it():
    hnet, si, ewc = csv.DictReader(io.StringIO(as_csv(method_sheet(comparison()))))
    assert (hnet["method"], hnet["label"], hnet["scenario"], hnet["seeds"]) == ("hnet", "HNET", "class", "2")
    numbers = {
        "accuracy_percent": 85,
        "accuracy_sem": 5,
        "forgetting_percent": 11.25,
        "forgetting_sem": 3.75,
        "milliseconds_per_step": 2.5,
        "memory_bytes": 2384,
        "memory_bytes_per_further_task": 192,
        "num_weights": 1234567,
    }
    assert {name: float(hnet[name]) for name in numbers} == pytest.approx(numbers)
    assert si["accuracy_sem"] == ""
    assert (si["benchmark"], si["settings"]) == ("split-digits", "scenario=class")
    assert {ewc[name] for name in numbers} == {""}
    assert ewc["seeds"] == "0"


def test_the_notes_say_what_the_figures_are_of():
    for text in (printed(120), markdown(comparison())):
        assert "averaged over all tasks, class-incremental" in text
        assert "With default settings, not chosen for these tasks: SI, EWC." in text
        assert "All ran with" not in text
        assert "Left out" not in text
    found = comparison("training.iterations=1000", "device=cpu", left_out=("separate answers elsewhere",))
    for text in (printed(120, found), markdown(found)):
        assert "All ran with training.iterations=1000." in text
        assert "Left out: separate answers elsewhere." in text


def test_files_are_the_table_and_the_picture(tmp_path):
    paths = write(tmp_path, comparison())
    assert [path.name for path in paths] == [f"comparison.{ending}" for ending in ("md", "csv", "svg", "png")]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert paths[0].read_text("utf-8") == markdown(comparison())
    assert paths[1].read_text("utf-8") == as_csv(method_sheet(comparison()))
    assert b"<svg" in paths[2].read_bytes()
    assert paths[3].read_bytes().startswith(b"\x89PNG")


def test_nothing_finished_has_no_picture(tmp_path):
    nothing = MethodComparison(comparison().base, 2, {METHODS["ewc"]: Group("ewc")})
    assert [path.suffix for path in write(tmp_path, nothing)] == [".md", ".csv"]
    assert "comparison.svg" not in markdown(nothing)
