"""`hypermnesia analyze NAME`: a command for each analysis, made from its declaration."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hypermnesia.claims import claimed
from hypermnesia.cli.common import (
    INTERRUPTED,
    Changes,
    Cluster,
    Data,
    Jobs,
    NumSeeds,
    Trust,
    carry_out_and_show,
    check_used,
    divide,
    exit_with,
    positive_numbers,
    reachable,
    tell,
    words,
)
from hypermnesia.errors import ConfigurationError, shown

if TYPE_CHECKING:
    from rich.console import Console

    from hypermnesia.analyses.analysis import Analysis, Option, Study
    from hypermnesia.experiments.many_runs.plan import Outcome
    from hypermnesia.experiments.recorded_runs.finished import FinishedRun


class _Analyses(TyperGroup):
    """Group of commands that are made when one is asked for: their declarations import torch, which takes seconds."""

    # Contexts and commands are click's, or those of typer's own copy of it, by the version of typer.

    def list_commands(self, ctx: Any) -> list[str]:
        self._make()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        self._make()
        return super().get_command(ctx, cmd_name)

    def _make(self) -> None:
        if not self.commands:
            from hypermnesia.analyses.analysis import Analysis
            from hypermnesia.analyses.registry import ALL

            made = typer.Typer(rich_markup_mode=None)
            for declared in ALL:
                command = _of_run(declared) if isinstance(declared, Analysis) else _of_study(declared)
                made.command(declared.name, help=declared.help)(command)
            group = typer.main.get_command(made)
            assert isinstance(group, TyperGroup)
            self.commands.update(group.commands)


app = typer.Typer(
    cls=_Analyses,
    help="Find out why it works: from a finished run, or from runs made for it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _of_run(analysis: Analysis) -> Callable[..., None]:
    """The command of an analysis of one run."""
    finished, any_run = "Directory of a finished run of a hypernetwork.", "A run directory; the run may still go on."
    what = finished if analysis.of_finished else any_run
    run = Annotated[
        Path, typer.Argument(metavar="RUN", callback=reachable, help=what, show_default=not analysis.of_finished)
    ]
    parameters: dict[str, tuple[Any, Any]] = {"run": (run, ...), **_options(analysis.options)}
    if analysis.of_finished:
        parameters |= {"data": (Data, None), "trust": (Trust, False)}

    def command(run: Path, data: Path | None = None, trust: bool = False, **options: Any) -> None:
        from rich.console import Console

        from hypermnesia.analyses.files import write_analysis
        from hypermnesia.experiments.single_run.rundir import RunDirectory

        values, directory = _values(analysis.options, options), RunDirectory(run)
        finished = _open(run, data, trust) if analysis.of_finished else None
        lock = f".{analysis.name}.lock"  # others may be made of the same run at the same time
        with claimed(run, lock=lock) if directory.is_run() else contextlib.nullcontext():
            result = _compute(analysis, finished, values) if finished else analysis.compute(directory, **values)
            paths = write_analysis(directory.analyses, analysis.name, result, analysis.chart(result))
        console = Console()
        for line in analysis.lines(result):
            tell(console, line)
        tell(console, f"written to {', '.join(map(str, paths))}")

    return _with(command, parameters)


def _of_study(study: Study) -> Callable[..., None]:
    """The command of an analysis of many runs."""
    preset = Annotated[str, typer.Argument(metavar="PRESET | FILE.yaml", help=study.preset_help)]
    scenario = "" if study.preset else ", -SCENARIO if another"
    place = f"Of the results and the run directories. [default: runs/{study.directory}-PRESET{scenario}]"
    parameters: dict[str, tuple[Any, Any]] = {
        "preset": (preset, study.preset or ...),
        "settings": (Changes, None),
        **_options(study.options),
        "seeds": (NumSeeds, 1),
        "jobs": (Jobs, None),
        "cluster": (Cluster, None),
        "data": (Data, None),
        "out": (Annotated[Path | None, typer.Option(metavar="DIR", callback=reachable, help=place)], None),
    }

    def command(
        preset: str,
        settings: list[str] | None,
        seeds: int,
        jobs: int | None,
        cluster: str | None,
        data: Path | None,
        out: Path | None,
        **options: Any,
    ) -> None:
        from rich.console import Console

        from hypermnesia.analyses.sheet import print_sheet, write_sheet
        from hypermnesia.experiments.many_runs.base import base_of

        source, changes = divide([preset, *(settings or [])])
        base = base_of(source or study.preset or preset, changes)
        planned = study.plan(base, **_values(study.options, options), seeds=seeds, data=data)
        directory = out or Path("runs") / f"{study.directory}-{base.name}"
        for reason in planned.left_out:
            tell(Console(), f"left out: {reason}")

        def show(console: Console, outcomes: Sequence[Outcome]) -> list[Path]:
            result = planned.collect(outcomes, directory)
            sheet = study.sheet(result)
            written = write_sheet(directory, sheet, study.chart(result))
            print_sheet(console, sheet)
            return written

        carry_out_and_show(planned.runs, directory, jobs, cluster, data, show)

    return _with(command, parameters)


def _with(command: Callable[..., None], parameters: Mapping[str, tuple[Any, Any]]) -> Callable[..., None]:
    """The function as typer sees it: with these parameters, each a type and a default (`...`: there is none)."""
    keyword, no_default = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    signature = [
        inspect.Parameter(name, keyword, default=no_default if default is ... else default, annotation=annotation)
        for name, (annotation, default) in parameters.items()
    ]
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {name: annotation for name, (annotation, _) in parameters.items()}
    return command


def _options(options: tuple[Option, ...]) -> dict[str, tuple[Any, Any]]:
    """Parameters of a command, one for each option: its type and its default."""
    declared = [(each, _option(each)) for each in options]
    return {each.name: (Annotated[type(each.default), option], each.default) for each, option in declared}


def _option(option: Option) -> Any:
    least, most = (1, int(option.most)) if option.kind == "integer" else (None, None)
    return typer.Option(metavar=option.metavar, help=option.help, min=least, max=most)


def _values(options: tuple[Option, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of an analysis made from what was typed."""
    values: dict[str, Any] = {}
    for option in options:
        typed, name = given[option.name], f"--{option.name}"
        if option.kind == "positive numbers":
            values[option.name] = positive_numbers(name, typed, option.most)
        elif option.kind == "integers":
            values[option.name] = _integers(name, typed, option.most) if typed else None
        else:
            values[option.name] = typed
    return values


def _integers(option: str, text: str, most: float) -> list[int]:
    numbers = words(text, option)
    if not all(number.isascii() and number.isdecimal() and len(number) < 10 for number in numbers):
        raise ConfigurationError(f"{option}: {shown(text)} must be whole numbers with commas between, as 1,2.")
    if max(found := [int(number) for number in numbers]) > most:
        raise ConfigurationError(f"{option}: {max(found)} is more than {most:,.0f}, the largest allowed.")
    return found


def _open(run: Path, data: Path | None, trust: bool) -> FinishedRun:
    from hypermnesia.experiments.recorded_runs.finished import open_run

    finished = open_run(run, data, trust=trust)
    check_used([finished.experiment], data)
    return finished


def _compute(analysis: Analysis, finished: FinishedRun, options: Mapping[str, Any]) -> Any:
    """The result, with a progress bar, computed with as many threads as the run was made with."""
    from hypermnesia.experiments.single_run.environment import threads

    try:
        with threads(finished.experiment.threads), _progress(analysis.steps) as advanced:
            return analysis.compute(finished, **options, advanced=advanced)
    except KeyboardInterrupt:
        if not analysis.resumable:
            raise
        exit_with(INTERRUPTED, "Stopped; what was computed is kept. The same command goes on.")


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar while an analysis goes on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.table import Column

    from hypermnesia.evaluation.bars import Bars, Words

    console, whole = Console(), Column(no_wrap=True)
    columns = (Words(what, console), BarColumn(bar_width=None))
    counts = (MofNCompleteColumn(table_column=whole), TimeRemainingColumn(table_column=whole))
    with Bars(*columns, *counts, console=console) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
