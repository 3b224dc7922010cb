"""Analyses: why it works, of one finished run each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hypermnesia.cli.common import INTERRUPTED, Data, exit_with, tell, words
from hypermnesia.errors import ConfigurationError

if TYPE_CHECKING:
    from hypermnesia.experiments.recorded_runs.finished import FinishedRun

app = typer.Typer(
    help="Find out why it works: from a finished run, or from runs made for it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="Directory of a finished run of a hypernetwork.", show_default=False)
]


@app.command()
def embedding_plane(
    run: Run,
    resolution: Annotated[int, typer.Option(metavar="N", help="Points in each direction.")] = 41,
    examples: Annotated[int, typer.Option(metavar="N", help="Test examples of each task to ask, at most.")] = 1000,
    data: Data = None,
) -> None:
    """Test accuracy over a plane of embeddings: how large the region is in which a task is remembered.

    The plane itself where embeddings have two dimensions, else the one through the task's own along the principal axes
    of all. Rows of the grid are kept as they are measured: give the same command again after Ctrl-C.
    """
    from hypermnesia.analyses.embedding_plane import NAME
    from hypermnesia.analyses.embedding_plane import embedding_plane as analyze
    from hypermnesia.report.charts.embedding_plane import embedding_plane_chart, embedding_plane_text

    with _opened(run, data) as finished, _kept(), _progress("rows") as advanced:
        result = analyze(finished, resolution, examples, advanced)
    _show(finished, NAME, result, embedding_plane_chart(result), embedding_plane_text(result))


@app.command()
def interpolation(
    run: Run,
    between: Annotated[
        str, typer.Option(metavar="I,J", help="Two tasks, counted from 1. [default: the first and the last]")
    ] = "",
    data: Data = None,
) -> None:
    """Test accuracy of two tasks on the line through their embeddings: what lies between two memories."""
    from hypermnesia.analyses.interpolation import NAME
    from hypermnesia.analyses.interpolation import interpolation as analyze
    from hypermnesia.report.charts.interpolation import interpolation_chart, interpolation_text

    with _opened(run, data) as finished, _progress("tasks") as advanced:
        numbers = _numbers("--between", between) if between else [1, len(finished.tasks)]
        if len(numbers) != 2:
            raise ConfigurationError(f"--between: '{between}' must name two tasks, as 1,2 does.")
        result = analyze(finished, (numbers[0], numbers[1]), advanced)
    _show(finished, NAME, result, interpolation_chart(result), interpolation_text(result))


@app.command()
def transfer(
    run: Run,
    examples: Annotated[
        str,
        typer.Option(
            metavar="N,N",
            help="Training examples of the next task. [default: those of 10,100,1000 that every task has]",
        ),
    ] = "",
    data: Data = None,
) -> None:
    """Learn each next task from few examples by its embedding alone, beside learning it from scratch.

    The hypernetwork is frozen as it was after 0, 1, 2, ... tasks; the run must have been made with
    recording.keep_learners=true. Accuracies are kept as they are measured: give the same command again after Ctrl-C.
    """
    from hypermnesia.analyses.transfer import NAME
    from hypermnesia.analyses.transfer import transfer as analyze
    from hypermnesia.report.charts.transfer import transfer_chart, transfer_text

    with _opened(run, data) as finished, _kept(), _progress("tasks learned") as advanced:
        result = analyze(finished, _numbers("--examples", examples) if examples else None, advanced)
    _show(finished, NAME, result, transfer_chart(result), transfer_text(result))


@app.command()
def weights(run: Run, data: Data = None) -> None:
    """What is remembered where: distances, drift and dimensions of the weights that are generated for tasks.

    How they drift is seen only in a run that was made with recording.keep_learners=true.
    """
    from hypermnesia.analyses.generated_weights import NAME
    from hypermnesia.analyses.generated_weights import generated_weights as analyze
    from hypermnesia.report.charts.generated_weights import generated_weights_chart, generated_weights_text

    with _opened(run, data) as finished, _progress("learners") as advanced:
        result = analyze(finished, advanced)
    _show(finished, NAME, result, generated_weights_chart(result), generated_weights_text(result))


@contextlib.contextmanager
def _opened(run: Path, data: Path | None) -> Iterator[FinishedRun]:
    """The run, with as many threads as it was made with."""
    from hypermnesia.experiments.recorded_runs.finished import open_run
    from hypermnesia.experiments.single_run.threads import threads

    finished = open_run(run, data)
    with threads(finished.experiment.threads):
        yield finished


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar while an analysis goes on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Where an analysis can go on, Ctrl-C ends it with that sentence."""
    try:
        yield
    except KeyboardInterrupt:
        exit_with(INTERRUPTED, "Stopped; what was computed is kept. The same command goes on.")


def _show(finished: FinishedRun, name: str, result: Any, chart: Any, lines: Iterable[str]) -> None:
    """Print what was found, and write it down."""
    from rich.console import Console

    from hypermnesia.report.analysis_files import write_analysis

    console = Console()
    for line in lines:
        tell(console, line)
    paths = write_analysis(finished.directory.analyses, name, result, chart)
    tell(console, f"written to {', '.join(map(str, paths))}")


def _numbers(option: str, text: str) -> list[int]:
    numbers = words(text)
    if not numbers or not all(number.isdecimal() for number in numbers):
        raise ConfigurationError(f"{option}: '{text}' must be whole numbers with commas between, as 1,2.")
    return [int(number) for number in numbers]
