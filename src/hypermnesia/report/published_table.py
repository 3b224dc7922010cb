"""Published table with our accuracies beside it: on a terminal, as Markdown, as LaTeX and as CSV."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hypermnesia.analyses.sheet import escaped, figures_of, in_parts, markdown_table
from hypermnesia.criteria import ACCURACY
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.published import PUBLISHED, Variant
from hypermnesia.experiments.many_runs.reproduce import Cell, Comparison
from hypermnesia.files import write_formats

BELOW = "↓"
_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", BELOW: r"$\downarrow$"}
)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the table; where it is too wide, as several with some of the columns each, ours beside the published."""
    for table in in_parts(console, _parts(comparison), lambda parts: _table(comparison, [*itertools.chain(*parts)])):
        console.print(table)
    for note in _notes(comparison):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def write_comparison(directory: Path, comparison: Comparison) -> list[Path]:
    """Write `NAME.md`, `NAME.tex` and `NAME.csv`, named after the table; returns their paths.

    Args:
        directory: Directory, which must exist.
        comparison: Comparison to write.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    texts = {"md": markdown(comparison), "tex": latex(comparison), "csv": long_csv(comparison)}
    return write_formats(directory, comparison.table.name, {ending: text.encode() for ending, text in texts.items()})


def markdown(comparison: Comparison) -> str:
    """Table as Markdown, with its notes below."""
    columns = _columns(comparison)
    head = ["benchmark", "scenario", *(f"{comparison.table.methods[each.method]} {each.head}" for each in columns)]
    lines = markdown_table(head, [[*row, *cells] for row, cells in _rows(comparison, columns)], names=len(head))
    return "\n".join([*lines, "", *(escaped(note) + "  " for note in _notes(comparison)), ""])


def latex(comparison: Comparison) -> str:
    """Table as a LaTeX `tabular`, to be included in a `table`; needs the package booktabs."""
    names, rules, columns = [], [], _columns(comparison)
    for method, label in comparison.table.methods.items():
        numbers = [number for number, column in enumerate(columns, 3) if column.method == method]
        names.append(rf"\multicolumn{{{len(numbers)}}}{{c}}{{{label.translate(_LATEX)}}}")
        rules.append(rf"\cmidrule(lr){{{numbers[0]}-{numbers[-1]}}}")
    heads = [column.head.translate(_LATEX) for column in columns]
    lines = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{ll{'r' * len(heads)}}}",
        r"\toprule",
        rf" & & {' & '.join(names)} \\",
        " ".join(rules),
        rf"benchmark & scenario & {' & '.join(heads)} \\",
    ]
    above = None
    for (benchmark, scenario), cells in _rows(comparison, columns):
        lines += [r"\midrule"] * (benchmark != above)
        texts = ["" if benchmark == above else benchmark, scenario, *cells]
        lines.append(rf"{' & '.join(text.translate(_LATEX) for text in texts)} \\")
        above = benchmark
    lines += [r"\bottomrule", r"\end{tabular}", r"\par\smallskip"]
    lines.append(r"{\footnotesize " + r" \\ ".join(note.translate(_LATEX) for note in _notes(comparison)) + r"\par}")
    return "\n".join([*lines, ""])


def long_csv(comparison: Comparison) -> str:
    """Unrounded percentages as CSV, a line for each cell and variant of ours; empty where there is nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["benchmark", "scenario", "method", "variant", "published", "published_sem", "ours", "ours_sem", "seeds"]
    writer.writerow([*head, "below", "changed_settings"])
    ours = [
        (method, variant)
        for method in comparison.table.methods
        for variant in comparison.table.variants_of(method) or [PUBLISHED]
    ]
    for benchmark, scenario in comparison.table.rows:
        for method, variant in ours:
            cell = comparison.cell(benchmark, scenario, method, variant)
            below = None if cell.below is None else str(cell.below).lower()
            spreads = [
                value for each in (cell.published, cell.ours) for value in figures_of("", each, ACCURACY).values()
            ]
            figures = [*spreads, cell.seeds, below]
            changed = " ".join(comparison.changed) if cell.ours else ""
            writer.writerow([benchmark, scenario, method, variant, *figures, changed])
    return text.getvalue()


class _Column(NamedTuple):
    """What was published for a method, or what our runs of one variant found."""

    method: str
    head: str
    ours: str | None = None
    """The variant; None for what was published."""


def _columns(comparison: Comparison) -> list[_Column]:
    """All columns, those of a method side by side."""
    return [*itertools.chain(*_parts(comparison))]


def _parts(comparison: Comparison) -> Iterator[list[_Column]]:
    """The columns that stay together on a narrow console: the published with the first of ours, each other alone."""
    for method in comparison.table.methods:
        variants = comparison.table.variants_of(method)
        ours = [_Column(method, ours_head(comparison, variant), variant) for variant in variants]
        yield [_Column(method, "published"), *ours[:1]]
        yield from ([column] for column in ours[1:])


def _table(comparison: Comparison, columns: Sequence[_Column]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("benchmark")
    table.add_column("scenario")
    if columns[0].ours:
        columns = [_Column(columns[0].method, "published"), *columns]
    before = above = None
    for column in columns:
        name = "" if column.method == before else comparison.table.methods[column.method]
        head = column.head.replace(", ", ",\n", 1)
        table.add_column(Text(f"{name}\n{head}"), justify="right", no_wrap=True)
        before = column.method
    for (benchmark, scenario), cells in _rows(comparison, columns):
        if above and benchmark != above:
            table.add_section()
        table.add_row(Text("" if benchmark == above else benchmark), scenario, *cells)
        above = benchmark
    return table


def _rows(comparison: Comparison, columns: Sequence[_Column]) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Each row's benchmark and scenario, with the texts of its cells."""
    for row in comparison.table.rows:
        cells = [(column.ours, comparison.cell(*row, column.method, column.ours or PUBLISHED)) for column in columns]
        yield row, [ours_text(cell) if ours else show_spread(cell.published, ACCURACY) for ours, cell in cells]


def ours_head(comparison: Comparison, variant: str) -> str:
    """Head of a column of ours.

    Args:
        comparison: Comparison that the column is of.
        variant: Variant whose figures are in it.
    """
    ours = "ours*" if comparison.changed else "ours"
    label = "" if variant == PUBLISHED else f", {comparison.table.variants[variant].label}"
    return f"{ours} (seeds){label}"


def variant_note(variant: Variant) -> str:
    """What a variant is, behind its label."""
    return f"Ours, {variant.label}: {variant.note}"


def ours_text(cell: Cell) -> str:
    """Mean, standard error, number of seeds, and the mark where ours is below."""
    return f"{show_spread(cell.ours, ACCURACY)} ({cell.seeds}){f' {BELOW}' if cell.below else ''}" if cell.ours else ""


def _notes(comparison: Comparison) -> list[str]:
    table = comparison.table
    notes = [
        f"Test accuracy (%) after the last task, mean ± standard error. {table.published}.",
        f"{BELOW} ours is below the published by more than two standard errors of the difference "
        "(of one seed: the published spread is taken).",
    ]
    notes += map(variant_note, table.variants.values())
    if comparison.changed:
        notes.append(f"* Not the published settings: ours ran with {' '.join(comparison.changed)}.")
    return notes
