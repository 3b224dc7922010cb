import csv
import io

import numpy as np
import pytest
from rich.console import Console

from hypermnesia.experiments.many_runs.published import CellKey, load_table, select
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
    CellKey("split-mnist", "task", "hnet"): (0.997, 0.998, 0.999),
    CellKey("split-mnist", "class", "hnet"): (0.60, 0.62),
    CellKey("split-mnist", "class", "hnet", "module"): (0.61,),
    CellKey("split-mnist", "class", "hnet-r"): (0.95,),
}
DIFFERENCE = "ours (seeds), as a difference"


def group(scenario: str, method: str, accuracies: tuple[float, ...]) -> Group:
    runs = (
        recorded(load("split-mnist", [f"scenario={scenario}", f"seed={seed}"], method), np.array([[accuracy]]))
        for seed, accuracy in enumerate(accuracies)
    )
    return Group(method, tuple(runs))


FOUND = {cell: group(cell.scenario, cell.method, accuracies) for cell, accuracies in MEASURED.items()}


def comparison(*changed: str, variants: tuple[str, ...] = ()) -> Comparison:
    return Comparison(select(load_table("table-1"), [], ["hnet", "hnet-r"], variants), FOUND, changed)


def printed(width: int, *changes: str, **console) -> str:
    file = io.StringIO()
    print_comparison(Console(file=file, width=width, **console), comparison(*changes))
    return file.getvalue()


def test_a_wide_console_shows_one_table():
    lines = printed(250).splitlines()
    (names,) = [line.replace("ours (seeds),", "").split() for line in lines if "EWC" in line]
    assert names == ["EWC", "SI", "DGR", "HNET+ENT", "HNET+TIR", "HNET+R"]
    (row,) = [line for line in lines if "class" in line and "69.48" in line]
    assert " ".join(row.split()) == (
        "class 19.96 ± 0.07 19.99 ± 0.06 91.79 ± 0.32 69.48 ± 0.80 61.00 ± 1.00 (2) ↓ 61.00 (1) ↓ 89.59 ± 0.59 "
        "95.30 ± 0.13 95.00 (1)"
    )


@pytest.mark.parametrize("width", [72, 80, 120, 160])
def test_a_narrow_console_shows_all_of_it_in_several_tables(width):
    text, _, notes = printed(width).partition("Test accuracy")
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for figure in ("95.96 ± 0.06", "99.80 ± 0.06 (3)", "61.00 ± 1.00 (2) ↓", "61.00 (1) ↓", "95.00 (1)"):
        assert text.count(figure) == 1
    beside = {"95.00 (1)": "95.30 ± 0.13", "61.00 ± 1.00 (2) ↓": "69.48 ± 0.80", "61.00 (1) ↓": "69.48 ± 0.80"}
    for ours, published in beside.items():
        assert [published in line for line in text.splitlines() if ours in line] == [True]
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
        *("HNET+ENT published", "HNET+ENT ours (seeds)", f"HNET+ENT {DIFFERENCE}", "HNET+TIR published"),
        *("HNET+R published", "HNET+R ours (seeds)", f"HNET+R {DIFFERENCE}"),
    ]
    assert set(rule) == {"---"}
    assert {len(row) for row in rows} == {12}
    assert [row[:2] for row in body] == [[b, s] for b, s in comparison().table.rows]
    assert body[3][5:8] == ["99.79 ± 0.01", "99.80 ± 0.06 (3)", ""]
    assert body[5][5:8] == ["69.48 ± 0.80", "61.00 ± 1.00 (2) ↓", "61.00 (1) ↓"]
    assert body[4][6] == ""


def test_latex_has_as_many_cells_in_each_row():
    text = latex(comparison())
    tabular = text[text.index(r"\begin{tabular}") : text.index(r"\end{tabular}")]
    assert r"\begin{tabular}{llrrrrrrrrrr}" in tabular
    assert [tabular.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 2, 1]
    names, *rows = [line for line in tabular.splitlines() if line.endswith(r"\\")]
    assert names.count("&") == 7
    assert r"\multicolumn{3}{c}{HNET+ENT} & \multicolumn{1}{c}{HNET+TIR}" in names
    assert r"\cmidrule(lr){5-5} \cmidrule(lr){6-8} \cmidrule(lr){9-9} \cmidrule(lr){10-12}" in tabular
    assert {row.count("&") for row in rows} == {11}
    assert rf"& published & ours (seeds) & {DIFFERENCE} &" in rows[0]
    assert r"61.00 $\pm$ 1.00 (2) $\downarrow$" in rows[-1]
    assert text.isascii()


def test_csv_holds_every_figure():
    lines = list(csv.DictReader(io.StringIO(long_csv(comparison()))))
    assert len(lines) == 6 * 6 + 6 * 2
    cells = {CellKey(*(line[field] for field in CellKey._fields)): line for line in lines}
    both = cells[CellKey("split-mnist", "class", "hnet")]
    assert (both["published"], both["published_sem"], both["seeds"], both["below"]) == ("69.48", "0.8", "2", "true")
    assert (float(both["ours"]), float(both["ours_sem"])) == pytest.approx((61, 1))
    other = cells[CellKey("split-mnist", "class", "hnet", "module")]
    assert (other["published"], other["ours"], other["seeds"], other["below"]) == ("69.48", "61.0", "1", "true")
    one = cells[CellKey("split-mnist", "class", "hnet-r")]
    assert (one["ours"], one["ours_sem"], one["seeds"], one["below"]) == ("95.0", "", "1", "false")
    none = cells[CellKey("split-mnist", "class", "online-ewc")]
    assert (none["published"], none["ours"], none["ours_sem"], none["seeds"], none["below"]) == (
        *("19.96", "", ""),
        *("0", ""),
    )


def test_other_settings_are_marked_wherever_ours_stand():
    changes = ("network.hidden=[9]", "learner.max_tasks=3")
    for text in (printed(250, *changes), printed(80, *changes)):
        assert "ours* (seeds)" in text
        assert "ours* (seeds)," in text
        assert "* Not the published settings: ours ran with network.hidden=[9] learner.max_tasks=3." in text
    assert r"HNET+R ours\* (seeds)" in markdown(comparison(*changes))
    assert r"\* Not the published settings: ours ran with network.hidden=[9] learner.max\_tasks=3." in markdown(
        comparison(*changes)
    )
    assert r"ours ran with network.hidden=[9] learner.max\_tasks=3" in latex(comparison(*changes))
    for line in csv.DictReader(io.StringIO(long_csv(comparison(*changes)))):
        assert line["changed_settings"] == ("network.hidden=[9] learner.max_tasks=3" if line["ours"] else "")
    assert "Not the published settings" not in printed(200) + markdown(comparison()) + latex(comparison())


def test_a_note_says_what_a_variant_is_wherever_one_is_shown():
    sentence = "Ours, as a difference: generated weights are a difference from"
    with_variants, without = comparison(), comparison(variants=("published",))
    for text in (printed(80), markdown(with_variants), latex(with_variants)):
        assert text.count(sentence) == 1
    for text in (markdown(without), latex(without), long_csv(without)):
        assert not any(word in text for word in ("as a difference", "module"))
    assert "61.00 ± 1.00 (2) ↓" in markdown(without)


def test_a_variant_alone_has_no_column_of_the_published_settings():
    lines = markdown(comparison(variants=("module",))).splitlines()
    assert f"| HNET+ENT published | HNET+ENT {DIFFERENCE} | HNET+TIR published |" in lines[0]
    assert "ours (seeds) |" not in lines[0]


def test_files_are_called_after_the_table(tmp_path):
    paths = write_comparison(tmp_path, comparison())
    assert [path.name for path in paths] == ["table-1.md", "table-1.tex", "table-1.csv"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert paths[0].read_text("utf-8") == markdown(comparison())
