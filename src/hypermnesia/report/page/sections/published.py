"""Our accuracies beside published ones, where runs have the published settings."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.experiments.many_runs import published as tables
from hypermnesia.experiments.many_runs.answers import answers
from hypermnesia.experiments.many_runs.published import PublishedTable
from hypermnesia.experiments.many_runs.reproduce import Comparison
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.page.section import Section, Table, Text
from hypermnesia.report.studies.published_table import BELOW, ours_text, published_text


def published(groups: Sequence[Group]) -> Section | None:
    """A row for each published accuracy that a run answers for."""
    comparisons = [answers(tables.load(name), groups) for name in tables.tables()]
    found = [comparison for comparison in comparisons if comparison.measured]
    if not found:
        return None
    note = Text(
        f"{BELOW} ours is below the published by more than two standard errors of the difference (of one seed: the "
        "published spread is taken). The scenario says what is known and asked at test."
    )
    return Section("Beside published results", [*map(_table, found), note])


def _table(comparison: Comparison) -> Table:
    table: PublishedTable = comparison.table
    rows = []
    for benchmark, scenario in table.rows:
        for method, label in table.methods.items():
            cell = comparison.cell(benchmark, scenario, method)
            if cell.ours:
                rows.append([f"{label}, {benchmark}", scenario, published_text(cell.published), ours_text(cell)])
    caption = (
        f"Test accuracy (%) after the last task, mean ± standard error. Published, {table.seeds} seeds: {table.source}"
    )
    return Table(caption, ["method, benchmark", "scenario", "published", "ours (seeds)"], rows)
