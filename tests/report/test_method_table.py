import csv
import io
import shlex

import pytest
from hypermnesia.experiments.many_runs.methods import METHODS, base_of
from rich.console import Console

from hypermnesia.analyses.sheet import as_csv
from hypermnesia.experiments.many_runs.compare import MethodComparison, MethodFigures
from hypermnesia.report.method_table import markdown, method_sheet, print_methods, write_methods

SUMMARY = {
    "measure": "accuracy",
    "accuracy": [[1.0, None, None], [0.9, 1.0, None], [0.8, 0.9, 1.0]],
    "average_accuracy": 0.9,
    "forgetting": 0.15,
    "iterations": 1000,
    "learning_seconds": 2.5,
    "memory_bytes": [2000, 2100, 2384],
    "num_weights": 1234567,
}
WORSE = SUMMARY | {"average_accuracy": 0.8, "forgetting": -0.05}
LARGE = SUMMARY | {"learning_seconds": 3.5, "memory_bytes": [2**20, 3 * 2**20, 5 * 2**20], "num_weights": 5}
LEARNER = 'learner={"method": "si"}'


def comparison(*overrides: str, left_out: tuple[str, ...] = ()) -> MethodComparison:
    base = base_of("split-digits", ["scenario=class", *overrides])
    methods = (
        MethodFigures(METHODS["hnet"], "split-digits", ("scenario=class",), True, (SUMMARY, WORSE)),
        MethodFigures(METHODS["si"], "split-digits", (LEARNER, "scenario=class"), False, (LARGE,)),
        MethodFigures(METHODS["ewc"], "split-digits", ("scenario=class",), False, ()),
    )
    return MethodComparison(base, 2, methods, left_out)


def printed(width: int, found: MethodComparison | None = None, **console) -> str:
    file = io.StringIO()
    print_methods(Console(file=file, width=width, **console), found or comparison())
    return file.getvalue()


CELLS = {
    "HNET": ["85.00 ± 5.00", "5.00 ± 10.00", "2.50", "2.33 KiB", "0.19 KiB", "1,234,567", "2"],
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
        "forgetting_percent": 5,
        "forgetting_sem": 10,
        "milliseconds_per_step": 2.5,
        "memory_bytes": 2384,
        "memory_bytes_per_further_task": 192,
        "num_weights": 1234567,
    }
    assert {name: float(hnet[name]) for name in numbers} == pytest.approx(numbers)
    assert si["accuracy_sem"] == ""
    assert [si["preset"], *shlex.split(si["settings"])] == ["split-digits", LEARNER, "scenario=class"]
    assert {ewc[name] for name in numbers} == {""}
    assert ewc["seeds"] == "0"


def test_the_notes_say_what_the_figures_are_of():
    for text in (printed(120), markdown(comparison())):
        assert "averaged over all tasks, class-incremental" in text
        assert "With default settings, not chosen for these tasks: SI, EWC." in text
        assert "All ran with" not in text
        assert "Left out" not in text
    found = comparison("training.iterations=1000", "device=cpu", left_out=("from-scratch answers elsewhere",))
    for text in (printed(120, found), markdown(found)):
        assert "All ran with training.iterations=1000." in text
        assert "Left out: from-scratch answers elsewhere." in text


def test_files_are_the_table_and_the_picture(tmp_path):
    paths = write_methods(tmp_path, comparison())
    assert [path.name for path in paths] == [f"comparison.{ending}" for ending in ("md", "csv", "png", "svg")]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert paths[0].read_text("utf-8") == markdown(comparison())
    assert paths[1].read_text("utf-8") == as_csv(method_sheet(comparison()))
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in paths[3].read_bytes()


def test_nothing_finished_has_no_picture(tmp_path):
    found = comparison()
    nothing = MethodComparison(found.base, 2, found.methods[2:])
    assert [path.suffix for path in write_methods(tmp_path, nothing)] == [".md", ".csv"]
    assert "comparison.svg" not in markdown(nothing)
