import csv
import io

import numpy as np
import pytest
from rich.console import Console

from hypermnesia.experiments.many_runs.published import load_table, select
from hypermnesia.experiments.many_runs.reproduce import Comparison
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.published_table import (
    latex,
    long_csv,
    markdown,
    print_comparison,
    write_comparison,
)
from tests.runs import load, recorded

MEASURED = {
    ("split-mnist", "task", "hnet"): (0.997, 0.998, 0.999),
    ("split-mnist", "class", "hnet"): (0.60, 0.62),
    ("split-mnist", "class", "hnet-r"): (0.95,),
}


def group(scenario: str, method: str, accuracies: tuple[float, ...]) -> Group:
    runs = (
        recorded(load("split-mnist", [f"scenario={scenario}", f"seed={seed}"], method), np.array([[accuracy]]))
        for seed, accuracy in enumerate(accuracies)
    )
    return Group(method, tuple(runs))


FOUND = {cell: group(*cell[1:], accuracies) for cell, accuracies in MEASURED.items()}


def comparison(*changed: str) -> Comparison:
    return Comparison(select(load_table("table-1"), methods=["hnet", "hnet-r"]), FOUND, changed)


def printed(width: int, *changes: str, **console) -> str:
    file = io.StringIO()
    print_comparison(Console(file=file, width=width, **console), comparison(*changes))
    return file.getvalue()


def test_a_wide_console_shows_one_table():
    lines = printed(200).splitlines()
    assert [line.split() for line in lines if line.split()[:1] == ["EWC"]] == [
        ["EWC", "SI", "DGR", "HNET+ENT", "HNET+TIR", "HNET+R"]
    ]
    (row,) = [line for line in lines if "class" in line and "69.48" in line]
    assert " ".join(row.split()) == (
        "class 19.96 ± 0.07 19.99 ± 0.06 91.79 ± 0.32 69.48 ± 0.80 61.00 ± 1.00 (2) ↓ 89.59 ± 0.59 "
        "95.30 ± 0.13 95.00 (1)"
    )


@pytest.mark.parametrize("width", [72, 80, 120, 160])
def test_a_narrow_console_shows_all_of_it_in_several_tables(width):
    text, _, notes = printed(width).partition("Test accuracy")
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for figure in ("95.96 ± 0.06", "99.80 ± 0.06 (3)", "61.00 ± 1.00 (2) ↓", "95.00 (1)", "95.30 ± 0.13"):
        assert text.count(figure) == 1
    assert "arXiv 1906.00695" in notes


def test_colors_are_for_terminals_only():
    assert "\x1b[" not in printed(80)
    assert "\x1b[" in printed(80, force_terminal=True)


def test_markdown_has_a_row_for_each_benchmark_and_scenario():
    lines = markdown(comparison()).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    head, rule, *body = rows
    assert head == [
        *("benchmark", "scenario", "EWC published", "SI published", "DGR published"),
        *("HNET+ENT published", "HNET+ENT ours (seeds)", "HNET+TIR published"),
        *("HNET+R published", "HNET+R ours (seeds)"),
    ]
    assert set(rule) == {"---"}
    assert {len(row) for row in rows} == {10}
    assert [row[:2] for row in body] == [[b, s] for b, s in comparison().table.rows]
    assert body[3][5:7] == ["99.79 ± 0.01", "99.80 ± 0.06 (3)"]
    assert body[5][5:7] == ["69.48 ± 0.80", "61.00 ± 1.00 (2) ↓"]
    assert body[4][6] == ""


def test_latex_has_as_many_cells_in_each_row():
    text = latex(comparison())
    tabular = text[text.index(r"\begin{tabular}") : text.index(r"\end{tabular}")]
    assert r"\begin{tabular}{llrrrrrrrr}" in tabular
    assert [tabular.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 2, 1]
    names, *rows = [line for line in tabular.splitlines() if line.endswith(r"\\")]
    assert names.count("&") == 7
    assert r"\multicolumn{2}{c}{HNET+ENT} & \multicolumn{1}{c}{HNET+TIR}" in names
    assert r"\cmidrule(lr){5-5} \cmidrule(lr){6-7} \cmidrule(lr){8-8} \cmidrule(lr){9-10}" in tabular
    assert {row.count("&") for row in rows} == {9}
    assert r"61.00 $\pm$ 1.00 (2) $\downarrow$" in rows[-1]
    assert text.isascii()


def test_csv_holds_every_figure():
    lines = list(csv.DictReader(io.StringIO(long_csv(comparison()))))
    assert len(lines) == 36
    cells = {(line["benchmark"], line["scenario"], line["method"]): line for line in lines}
    both = cells["split-mnist", "class", "hnet"]
    assert (both["published"], both["published_sem"], both["seeds"], both["below"]) == ("69.48", "0.8", "2", "true")
    assert (float(both["ours"]), float(both["ours_sem"])) == pytest.approx((61, 1))
    one = cells["split-mnist", "class", "hnet-r"]
    assert (one["ours"], one["ours_sem"], one["seeds"], one["below"]) == ("95.0", "", "1", "false")
    none = cells["split-mnist", "class", "online-ewc"]
    assert (none["published"], none["ours"], none["ours_sem"], none["seeds"], none["below"]) == (
        *("19.96", "", ""),
        *("0", ""),
    )


def test_other_settings_are_marked_wherever_ours_stand():
    changes = ("network.hidden=[9]", "learner.max_tasks=3")
    for text in (printed(200, *changes), printed(80, *changes)):
        assert "ours* (seeds)" in text
        assert "* Not the published settings: ours ran with network.hidden=[9] learner.max_tasks=3." in text
    assert r"HNET+R ours\* (seeds)" in markdown(comparison(*changes))
    assert r"\* Not the published settings: ours ran with network.hidden=[9] learner.max\_tasks=3." in markdown(
        comparison(*changes)
    )
    assert r"ours ran with network.hidden=[9] learner.max\_tasks=3" in latex(comparison(*changes))
    for line in csv.DictReader(io.StringIO(long_csv(comparison(*changes)))):
        assert line["changed_settings"] == ("network.hidden=[9] learner.max_tasks=3" if line["ours"] else "")
    assert "Not the published settings" not in printed(200) + markdown(comparison()) + latex(comparison())


def test_files_are_called_after_the_table(tmp_path):
    paths = write_comparison(tmp_path, comparison())
    assert [path.name for path in paths] == ["table-1.md", "table-1.tex", "table-1.csv"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert paths[0].read_text("utf-8") == markdown(comparison())
