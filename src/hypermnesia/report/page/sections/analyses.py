"""What `hypermnesia analyze` found in the runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import altair

from hypermnesia.analyses import embedding_plane, generated_weights, interpolation, long_sequence, results, transfer
from hypermnesia.errors import CheckpointError
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.report.charts.embedding_plane import embedding_plane_chart
from hypermnesia.report.charts.generated_weights import generated_weights_chart
from hypermnesia.report.charts.interpolation import interpolation_chart
from hypermnesia.report.charts.long_sequence import long_sequence_chart
from hypermnesia.report.charts.transfer import transfer_chart
from hypermnesia.report.page.names import figure_name
from hypermnesia.report.page.section import Figure, Section, of_each


@dataclasses.dataclass(frozen=True)
class _Analysis:
    """How the result of one is shown.

    Args:
        result: Its type.
        chart: Of such a result.
        title: Above the figure.
        told: What the figure shows, for those who cannot see it.
    """

    result: type
    chart: Callable[[Any], altair.TopLevelMixin]
    title: str
    told: str


_ANALYSES = {
    embedding_plane.NAME: _Analysis(
        embedding_plane.AccuracyOverPlane,
        embedding_plane_chart,
        "Accuracy of the network generated from any embedding",
        "Test accuracy over a plane of embeddings, a panel a task: how large the region is that remembers it.",
    ),
    interpolation.NAME: _Analysis(
        interpolation.AccuracyAlongLine,
        interpolation_chart,
        "Between two embeddings",
        "Test accuracy on two tasks along the straight line through their embeddings.",
    ),
    transfer.NAME: _Analysis(
        transfer.Transfer,
        transfer_chart,
        "A new task from few examples",
        "Test accuracy on each next task, learned by its embedding alone, beside a standard network from scratch.",
    ),
    generated_weights.NAME: _Analysis(
        generated_weights.GeneratedWeights,
        generated_weights_chart,
        "What is remembered where",
        "Distances between the weights of tasks, how far these have moved, and the dimensions of their features.",
    ),
    long_sequence.NAME: _Analysis(
        long_sequence.LongSequence,
        long_sequence_chart,
        "A long sequence",
        "Test accuracy on each task right after it and after the newest, and the time that a step took.",
    ),
}


def analyses(groups: Sequence[Group]) -> Section:
    """A figure for each analysis of each run; a problem for each file that is damaged or unknown."""
    problems: list[str] = []
    parts = [(group, list(_figures(group, groups, problems))) for group in groups]
    section = of_each("Analyses", parts) or Section("Analyses", [])
    return dataclasses.replace(section, problems=problems)


def _figures(group: Group, groups: Sequence[Group], problems: list[str]) -> Iterator[Figure]:
    for run in group.runs:
        for file in _files(run):
            try:
                yield _figure(file, run, group, groups)
            except CheckpointError as error:
                problems.append(f"{error}; the report does without it.")
            except Exception as error:  # whatever may stand in a file that somebody has changed
                problems.append(f"{file} is damaged ({error}); the report does without it.")


def _files(run: RecordedRun) -> list[Path]:
    """Results, those known first and in the order above; without parts of an analysis that is not finished."""
    files = [file for file in RunDirectory(run.path).analyses.glob("*.json") if not file.stem.endswith(".parts")]
    places = {name: place for place, name in enumerate(_ANALYSES)}
    return sorted(files, key=lambda file: (places.get(file.stem, len(places)), file.name))


def _figure(file: Path, run: RecordedRun, group: Group, groups: Sequence[Group]) -> Figure:
    if file.stem not in _ANALYSES:
        raise CheckpointError(f"{file} is no analysis that this version knows")
    shown = _ANALYSES[file.stem]
    chart, note = _untitled(shown.chart(results.read(shown.result, file)))
    several = len(group.runs) > 1
    name = figure_name(f"{file.stem}-seed{run.seed}" if several else file.stem, group, groups)
    return Figure(name, f"{shown.title}, seed {run.seed}" if several else shown.title, chart, shown.told, note)


def _untitled(chart: Any) -> tuple[altair.TopLevelMixin, str]:
    """The chart without its title, which stands above figures of the page, and its subtitle, which stands below."""
    subtitle: Any = getattr(chart.title, "subtitle", altair.Undefined)
    lines: list[str] = [] if subtitle is altair.Undefined else [subtitle] if isinstance(subtitle, str) else subtitle
    bare = chart.copy(deep=False)
    bare.title = altair.Undefined
    note = "; ".join(lines)
    return bare, note and f"{note[0].upper()}{note[1:]}."
