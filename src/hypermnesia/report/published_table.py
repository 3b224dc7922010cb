"""Published table with our accuracies beside it: on a terminal, as Markdown, as LaTeX and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from hypermnesia.analyses.sheet import escaped, figures_of, in_parts, markdown_table
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.reproduce import Cell, Comparison
from hypermnesia.files import write_formats
from hypermnesia.problems import ACCURACY

BELOW = "↓"
_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", BELOW: r"$\downarrow$"}
)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the table; where it is too wide, as several with some of the methods each."""
    for table in in_parts(console, comparison.table.methods, lambda methods: _table(comparison, methods)):
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
    head = ["benchmark", "scenario"]
    for method, columns in _columns(comparison):
        head += [f"{comparison.table.methods[method]} {column}" for column in columns]
    lines = markdown_table(head, [[*row, *cells] for row, cells in _rows(comparison)], names=len(head))
    return "\n".join([*lines, "", *(escaped(note) + "  " for note in _notes(comparison)), ""])


def latex(comparison: Comparison) -> str:
    """Table as a LaTeX `tabular`, to be included in a `table`; needs the package booktabs."""
    names, rules, heads, column = [], [], [], 3
    for method, columns in _columns(comparison):
        names.append(rf"\multicolumn{{{len(columns)}}}{{c}}{{{comparison.table.methods[method].translate(_LATEX)}}}")
        rules.append(rf"\cmidrule(lr){{{column}-{column + len(columns) - 1}}}")
        heads += columns
        column += len(columns)
    lines = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{ll{'r' * len(heads)}}}",
        r"\toprule",
        rf" & & {' & '.join(names)} \\",
        " ".join(rules),
        rf"benchmark & scenario & {' & '.join(heads)} \\",
    ]
    above = None
    for (benchmark, scenario), cells in _rows(comparison):
        lines += [r"\midrule"] * (benchmark != above)
        texts = ["" if benchmark == above else benchmark, scenario, *cells]
        lines.append(rf"{' & '.join(text.translate(_LATEX) for text in texts)} \\")
        above = benchmark
    lines += [r"\bottomrule", r"\end{tabular}", r"\par\smallskip"]
    lines.append(r"{\footnotesize " + r" \\ ".join(note.translate(_LATEX) for note in _notes(comparison)) + r"\par}")
    return "\n".join([*lines, ""])


def long_csv(comparison: Comparison) -> str:
    """Unrounded percentages as CSV, a line for each benchmark, scenario and method; empty where there is nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["benchmark", "scenario", "method", "published", "published_sem", "ours", "ours_sem", "seeds", "below"]
    writer.writerow([*head, "changed_settings"])
    for benchmark, scenario in comparison.table.rows:
        for method in comparison.table.methods:
            cell = comparison.cell(benchmark, scenario, method)
            below = None if cell.below is None else str(cell.below).lower()
            spreads = [
                value for each in (cell.published, cell.ours) for value in figures_of("", each, ACCURACY).values()
            ]
            figures = [*spreads, cell.seeds, below]
            changed = " ".join(comparison.changed) if cell.ours else ""
            writer.writerow([benchmark, scenario, method, *figures, changed])
    return text.getvalue()


def _table(comparison: Comparison, methods: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("benchmark")
    table.add_column("scenario")
    for method, columns in _columns(comparison, methods):
        for name, column in zip([comparison.table.methods[method], ""], columns, strict=False):
            table.add_column(f"{name}\n{column}", justify="right", no_wrap=True)
    above = None
    for (benchmark, scenario), cells in _rows(comparison, methods):
        if above and benchmark != above:
            table.add_section()
        table.add_row("" if benchmark == above else benchmark, scenario, *cells)
        above = benchmark
    return table


def _columns(comparison: Comparison, methods: Sequence[str] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Each method with the names of its columns."""
    ours = "ours* (seeds)" if comparison.changed else "ours (seeds)"
    for method in methods or comparison.table.methods:
        yield method, ["published", ours] if method in comparison.table.reproduced else ["published"]


def _rows(comparison: Comparison, methods: Sequence[str] | None = None) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Each row's benchmark and scenario, with the texts of its cells."""
    for benchmark, scenario in comparison.table.rows:
        texts: list[str] = []
        for method, columns in _columns(comparison, methods):
            cell = comparison.cell(benchmark, scenario, method)
            texts += [show_spread(cell.published, ACCURACY), ours_text(cell)][: len(columns)]
        yield (benchmark, scenario), texts


def ours_text(cell: Cell) -> str:
    """Mean, standard error, number of seeds, and the mark where ours is below."""
    return f"{show_spread(cell.ours, ACCURACY)} ({cell.seeds}){f' {BELOW}' if cell.below else ''}" if cell.ours else ""


def _notes(comparison: Comparison) -> list[str]:
    table = comparison.table
    notes = [
        "Test accuracy (%) after the last task, mean ± standard error. "
        f"Published, {table.seeds} seeds: {table.source}.",
        f"{BELOW} ours is below the published by more than two standard errors of the difference "
        "(of one seed: the published spread is taken).",
    ]
    if comparison.changed:
        notes.append(f"* Not the published settings: ours ran with {' '.join(comparison.changed)}.")
    return notes
