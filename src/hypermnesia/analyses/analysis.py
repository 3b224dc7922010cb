"""Declarations of analyses, from which the command line makes commands and the report's page its figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import altair

from hypermnesia.analyses.sheet import Sheet
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun

Advanced = Callable[[int, int], None]
"""Is told how many steps of an analysis are done, of how many."""


def unheard(done: int, of: int) -> None:
    """Nobody is told how far an analysis is."""


@dataclasses.dataclass(frozen=True)
class Option:
    """Option of an analysis: a keyword argument of its function, and an option of its command.

    Args:
        name: Name of the argument.
        kind: Type of the value. Several are given as a list, on the command line as a text with commas between.
        default: Value as it is typed. An empty text passes None: the analysis chooses.
        metavar: Sign for the value in the command's help.
        help: Description in the command's help.
        most: Largest value; what is more takes more time or memory than anybody has.
    """

    name: str
    kind: Literal["integer", "integers", "positive numbers"]
    default: int | str
    metavar: str
    help: str
    most: float = 1_000_000


@dataclasses.dataclass(frozen=True)
class Analysis:
    """Analysis of one run: a command, files beside the run, and a figure on the report's page.

    Args:
        name: Name of the command and of the files.
        help: Description of the command; its first sentence stands in the list of commands.
        compute: Function from a `FinishedRun` (or a `RunDirectory`), the options and `advanced` to the result.
        result: Type of the result, a dataclass of JSON values and such dataclasses.
        chart: Function from the result to its chart.
        lines: Function from the result to its lines on a terminal.
        title: Title of the figure on the page.
        alternative: What the figure shows, for people who cannot see it.
        options: Options of the command.
        steps: What `advanced` counts, at the progress bar.
        resumable: Whether parts of the result are kept, so that an interrupted analysis goes on where it was.
        of_finished: Whether it takes a `FinishedRun`. Otherwise it takes a `RunDirectory`, whose run may still go on,
            and no `advanced`.
    """

    name: str
    help: str
    compute: Callable[..., Any]
    result: type
    chart: Callable[[Any], altair.TopLevelMixin]
    lines: Callable[[Any], Iterable[str]]
    title: str
    alternative: str
    options: tuple[Option, ...] = ()
    steps: str = ""
    resumable: bool = False
    of_finished: bool = True


@dataclasses.dataclass(frozen=True)
class PlannedStudy:
    """Runs that a study takes, and what is made of them.

    Args:
        runs: Runs to carry out.
        collect: Function from what became of them and the directory that holds theirs to the result.
        left_out: What cannot be run and why, a sentence for each.
    """

    runs: Sequence[PlannedRun]
    collect: Callable[[Sequence[Outcome], Path], Any]
    left_out: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Study:
    """Analysis of many runs that are made for it: a command that writes a table and a chart.

    Args:
        name: Name of the command.
        help: Description of the command; its first sentence stands in the list of commands.
        plan: Function from a `Base`, the options, `seeds` and `data` to a `PlannedStudy`.
        chart: Function from the result to its chart; None if no run has finished.
        sheet: Function from the result to its table.
        options: Options of the command.
        preset: Preset that is taken where none is named; None: one must be.
        preset_help: Description of the presets that it takes.
        directory: Beginning of the directory's name, before that of the preset.
    """

    name: str
    help: str
    plan: Callable[..., PlannedStudy]
    chart: Callable[[Any], altair.TopLevelMixin | None]
    sheet: Callable[[Any], Sheet]
    directory: str
    options: tuple[Option, ...] = ()
    preset: str | None = None
    preset_help: str = "An experiment of a hypernetwork, as split-digits."
