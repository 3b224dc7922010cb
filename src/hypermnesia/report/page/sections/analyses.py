"""Section on the results of `hypermnesia analyze` that lie beside the runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import altair

from hypermnesia.analyses import files
from hypermnesia.analyses.registry import ANALYSES
from hypermnesia.errors import CheckpointError
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.report.page.section import Block, Figure, Section, Text, of_each
from hypermnesia.report.text import numbers

_MOST_RUNS = 6


def analyses(groups: Sequence[Group]) -> Section:
    """Section with a figure for each analysis of some runs, and a problem for each file that is damaged or unknown."""
    problems: list[str] = []
    each = max(1, _MOST_RUNS // len(groups))  # of a group
    found = of_each("Analyses", groups, lambda group: _blocks(group, each, problems))
    return Section("Analyses", found.blocks if found else [], problems)


def _blocks(group: Group, most: int, problems: list[str]) -> Sequence[Block]:
    """Figures of the first runs that were analyzed, and where those of the others are."""
    analyzed = [run for run in group.runs if _files(run)]
    blocks: list[Block] = [*_figures(group, analyzed[:most], problems)]
    if left_out := analyzed[most:]:
        seeds = numbers(run.seed for run in left_out if run.seed is not None)
        blocks.append(
            Text(f"Seeds {seeds} were analyzed, too; a report of such a run alone shows it: {left_out[0].path}.")
        )
    return blocks


def _figures(group: Group, runs: Sequence[RecordedRun], problems: list[str]) -> Iterator[Figure]:
    for run in runs:
        for file in _files(run):
            try:
                yield _figure(file, run, several=len(group.runs) > 1)
            except CheckpointError as error:
                problems.append(f"{error}; the report does without it.")
            except Exception as error:  # whatever may stand in a file that somebody has changed
                problems.append(f"{file} is damaged ({error}); the report does without it.")


def _files(run: RecordedRun) -> list[Path]:
    """Results, those known first and in the order of the registry; without parts of unfinished ones."""
    files = [file for file in RunDirectory(run.path).analyses.glob("*.json") if not file.stem.endswith(".parts")]
    places = {name: place for place, name in enumerate(ANALYSES)}
    return sorted(files, key=lambda file: (places.get(file.stem, len(places)), file.name))


def _figure(file: Path, run: RecordedRun, *, several: bool) -> Figure:
    if file.stem not in ANALYSES:
        raise CheckpointError(f"{file} is no analysis that this version knows")
    shown = ANALYSES[file.stem]
    chart, note = _untitled(shown.chart(files.read(shown.result, file)))
    name = f"{file.stem}-seed{run.seed}" if several else file.stem
    return Figure(name, f"{shown.title}, seed {run.seed}" if several else shown.title, chart, shown.alternative, note)


def _untitled(chart: Any) -> tuple[altair.TopLevelMixin, str]:
    """The chart without its title, which stands above figures of the page, and its subtitle, which stands below."""
    subtitle: Any = getattr(chart.title, "subtitle", altair.Undefined)
    lines: list[str] = [] if subtitle is altair.Undefined else [subtitle] if isinstance(subtitle, str) else subtitle
    bare = chart.copy(deep=False)
    bare.title = altair.Undefined
    note = "; ".join(lines)
    return bare, note and f"{note[0].upper()}{note[1:]}."
