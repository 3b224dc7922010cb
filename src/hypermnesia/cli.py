"""The command line: reads arguments, calls experiments and report, prints.

Importing torch takes seconds, so everything that needs it is imported where it is used.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from hypermnesia.errors import ConfigurationError, DataError, DivergenceError, HypermnesiaError

if TYPE_CHECKING:
    from rich.console import Console

    from hypermnesia.experiments.batch import Outcome, PlannedRun

WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    help="Continual learning with task-conditioned hypernetworks.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PRESET | FILE.yaml] [KEY=VALUE]...",
        help="What to run (see `hypermnesia presets`; without it split-digits), and settings that differ "
        "from it, as training.iterations=500.",
        show_default=False,
    ),
]


Data = Annotated[
    Path | None,
    typer.Option(metavar="DIR", envvar="HYPERMNESIA_DATA", help="Where MNIST's files are; otherwise downloaded."),
]
NumSeeds = Annotated[int, typer.Option(min=1, metavar="N", help="Runs of each, with seeds 0 to N-1.")]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed while running, 2 wrong input, 130 or 143 interrupted.

    Args:
        arguments: Without the program's name; None takes those of the process.
    """
    try:
        app(args=arguments, prog_name="hypermnesia")
    except (ConfigurationError, DataError) as error:
        _exit(WRONG_INPUT, str(error))
    except HypermnesiaError as error:
        _exit(FAILED, str(error))
    except OSError as error:
        _exit(FAILED, _describe(error))
    except KeyboardInterrupt:
        _exit(INTERRUPTED, "Interrupted.")
    sys.exit()


@app.callback(invoke_without_command=True)
def _program(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        print(metadata.version("hypermnesia"))
        raise typer.Exit


@app.command()
def run(
    settings: Settings = None,
    seed: Annotated[int | None, typer.Option(help="Root of all chance in the run. [default: 0]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps. [default: auto]")] = None,
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Run directory. [default: runs/NAME-seedSEED]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the run directory, if any.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the run directory.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the figures at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object on stdout.")] = False,
) -> None:
    """Learn a sequence of tasks and measure what is remembered.

    Continue an interrupted run with --resume; with --out DIR alone it takes the settings from there.
    """
    if resume and overwrite:
        raise ConfigurationError("--resume and --overwrite exclude each other: continue the run, or replace it.")

    from rich.console import Console

    from hypermnesia.experiments.build import build_tasks
    from hypermnesia.experiments.config import load
    from hypermnesia.experiments.run import RunStopped
    from hypermnesia.experiments.run import run as carry_out
    from hypermnesia.experiments.rundir import RunDirectory
    from hypermnesia.experiments.sources import DEFAULT_PRESET
    from hypermnesia.experiments.stopping import StopSignals
    from hypermnesia.report.progress import ProgressDisplay
    from hypermnesia.report.run_pictures import draw_pictures
    from hypermnesia.report.tables import print_summary

    source, changes = _divide(settings or [])
    changes += [f"{key}={value}" for key, value in (("seed", seed), ("device", device)) if value is not None]
    if resume and out and not source and not changes:
        experiment = RunDirectory(out).read_experiment()
    else:
        experiment = load(source or DEFAULT_PRESET, changes)

    directory = RunDirectory(out or Path("runs") / f"{experiment.name}-seed{experiment.seed}")
    directory.check(experiment, resume=resume, overwrite=overwrite)
    tasks = build_tasks(experiment, data)
    console = Console(stderr=as_json)
    display = ProgressDisplay(console, [task.name for task in tasks], quiet=quiet)
    again = shlex.join(["hypermnesia", "run", "--resume", "--out", str(directory.path)])
    again += f" --data {shlex.quote(str(data))}" if data else ""
    try:
        with StopSignals() as stop, display:
            summary = carry_out(experiment, tasks, directory, observer=display, stop=stop, resume=resume)
        draw_pictures(directory, summary)
    except RunStopped:
        _exit(128 + (stop.received or 0), f"Stopped, and saved. Go on with: {again}")
    except DivergenceError as error:
        _exit(FAILED, f"{error}. What was measured before is in {directory.path}.")
    except OSError as error:
        _exit(FAILED, f"{_describe(error)}. What was saved before is intact; go on with: {again}")
    if as_json:
        print(json.dumps(summary.as_dict(), allow_nan=False))
    else:
        print_summary(console, summary)


@app.command()
def presets() -> None:
    """List the experiments that come with the package."""
    from hypermnesia.experiments import sources

    described = sources.presets()
    width = max(map(len, described))
    for name, description in described.items():
        print(f"{name:<{width}}  {description}")


@app.command()
def show(settings: Settings = None) -> None:
    """Print every setting of an experiment as YAML, to read or to start an experiment of one's own from."""
    from hypermnesia.experiments.config import load
    from hypermnesia.experiments.sources import DEFAULT_PRESET

    source, changes = _divide(settings or [])
    print(load(source or DEFAULT_PRESET, changes).to_yaml(), end="")


@app.command()
def reproduce(
    table: Annotated[str, typer.Argument(metavar="TABLE | FILE.yaml", help="Which published table, as table-1.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Settings for every run, as training.iterations=500; the tables then say so.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="Benchmarks and scenarios, as split-mnist,class. [default: all]")
    ] = "",
    methods: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="Methods to run, as hnet-ent,hnet-r. [default: all]")
    ] = "",
    seeds: NumSeeds = 1,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Runs at a time.")] = 1,
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of the tables and the run directories. [default: runs/TABLE]")
    ] = None,
) -> None:
    """Set our accuracies beside those of a published table: run what it takes, print both, and write them down.

    Writes Markdown, LaTeX and CSV. Finished runs are reused and interrupted ones continued, so give the same command
    again after Ctrl-C. The arrow marks what is more than two standard errors below the published accuracy.
    """
    from rich.console import Console

    from hypermnesia.experiments.published import load, select
    from hypermnesia.experiments.reproduce import changes, compare, plan
    from hypermnesia.report.published_table import print_comparison, write_comparison

    part = select(load(table), _words(only), _words(methods))
    runs = plan(part, seeds, settings or [])
    changed = changes(settings or [])
    directory = _made(out or Path("runs") / part.name)
    console = Console()
    if changed:
        _tell(console, f"Not the published settings: {' '.join(changed)}")
    outcomes, received = _carry_out(console, runs, directory, jobs, data)
    comparison = compare(part, outcomes, changed)
    print_comparison(console, comparison)
    _tell(console, f"written to {', '.join(map(str, write_comparison(directory, comparison)))}")
    _end(outcomes, received)


@app.command()
def compare(
    preset: Annotated[
        str, typer.Argument(metavar="PRESET | FILE.yaml", help="An experiment of a hypernetwork, as split-digits.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings for every run, as scenario=class.", show_default=False),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(metavar="NAME,NAME", help="Methods to run, as hnet,ewc,si. [default: all that answer there]"),
    ] = "",
    seeds: NumSeeds = 1,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Runs at a time; several disturb the times.")] = 1,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Of the table and the run directories. [default: runs/compare-PRESET, -SCENARIO if another]",
        ),
    ] = None,
) -> None:
    """Set methods side by side on one sequence of tasks: accuracy, forgetting, time, memory.

    Writes Markdown, CSV and a picture. Finished runs are reused and interrupted ones continued, so give the same
    command again after Ctrl-C.

    Methods: hnet, hnet-unprotected, hnet-ewc, hnet-si, hnet-tir, hnet-r, hnet-likelihood, fine-tuning, joint,
    from-scratch, ewc, online-ewc, si, lwf, dgr, dgr-distill, er.
    """
    from rich.console import Console

    from hypermnesia.experiments.compare import compare, plan
    from hypermnesia.experiments.methods import base_of, choose, left_out
    from hypermnesia.report.method_table import print_methods, write_methods

    base = base_of(preset, settings or [])
    chosen = choose(_words(methods), base.experiment.scenario)
    without = [] if _words(methods) else left_out(base.experiment.scenario)
    runs = plan(base, chosen, seeds)
    directory = _made(out or Path("runs") / f"compare-{base.name}")
    console = Console()
    outcomes, received = _carry_out(console, runs, directory, jobs, data)
    comparison = compare(base, chosen, outcomes, seeds, without)
    print_methods(console, comparison)
    _tell(console, f"written to {', '.join(map(str, write_methods(directory, comparison)))}")
    _end(outcomes, received)


@app.command()
def tune(
    preset: Annotated[str, typer.Argument(metavar="PRESET | FILE.yaml", help="An experiment, as split-digits.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of every trial, as scenario=class.", show_default=False),
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="KEY,KEY", help="Settings to look for, as learner.beta. [default: all declared]")
    ] = "",
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="Trials to make, earlier ones included.")] = 30,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Trials at a time.")] = 1,
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of the study and the result. [default: runs/tune-NAME]")
    ] = None,
) -> None:
    """Look for the best settings of an experiment on validation data; the test data play no part.

    Writes tuned.yaml, ready for `hypermnesia run`. Ended trials are kept, so give the same command again after Ctrl-C,
    or a larger --trials for more.
    """
    from rich.console import Console

    from hypermnesia.experiments.config import load
    from hypermnesia.experiments.tune import TUNED, Search
    from hypermnesia.experiments.tune import tune as carry_out
    from hypermnesia.report.trials import print_trials, trial_line

    experiment = load(preset, settings or [])
    directory = _made(out or Path("runs") / f"tune-{experiment.name}")
    search = Search(experiment, directory, trials, data, tuple(_words(only)))
    console = Console()
    try:
        found = carry_out(search, jobs=jobs, ended=lambda trial: _tell(console, trial_line(trial)))
    except KeyboardInterrupt:
        _exit(INTERRUPTED, "Stopped; all trials that ended are kept. The same command goes on.")
    print_trials(console, found)
    if (directory / TUNED).is_file():
        _tell(console, f"the best settings are in {directory / TUNED}: hypermnesia run {directory / TUNED}")


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{directory} cannot be made: {error.strerror}; choose another --out.") from error
    return directory


def _carry_out(
    console: Console, runs: Sequence[PlannedRun], directory: Path, jobs: int, data: Path | None
) -> tuple[list[Outcome], int | None]:
    """Carry runs out with a line for each that starts or ends; also returns the signal that stopped them, if any."""
    from hypermnesia.experiments import batch
    from hypermnesia.experiments.stopping import StopSignals
    from hypermnesia.report.batch_lines import ended, started

    with StopSignals() as stop:
        outcomes = batch.carry_out(
            runs,
            directory,
            jobs=jobs,
            data=data,
            started=lambda run: _tell(console, started(run)),
            ended=lambda outcome: _tell(console, ended(outcome)),
            stop=stop,
        )
    return outcomes, stop.received


def _end(outcomes: Sequence[Outcome], received: int | None) -> None:
    """Say which runs failed, and exit accordingly; where there is nothing to say, go on."""
    from hypermnesia.report.batch_lines import failures

    failed = failures(outcomes)
    if received:
        _exit(128 + received, f"{failed}Stopped, and saved. The same command goes on.")
    if failed:
        _exit(FAILED, failed.rstrip())


def _tell(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _divide(settings: Sequence[str]) -> tuple[str | None, list[str]]:
    """The preset or file, if one is named, and the settings that differ from it."""
    first = settings[0] if settings else "="
    if "=" in first and not Path(first).is_file():
        return None, list(settings)
    return first, list(settings[1:])


def _describe(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"Writing failed: {where}{error.strerror or error}"


def _exit(code: int, message: str) -> NoReturn:
    print(f"Error: {message}" if code in (WRONG_INPUT, FAILED) else message, file=sys.stderr)
    sys.exit(code)
