"""Shared parts of commands: options, and how they print and end."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from hypermnesia.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import Console

    from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun
    from hypermnesia.experiments.settings.config import Experiment

WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130

Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PRESET | FILE.yaml] [KEY=VALUE]...",
        help="What to run (see `hypermnesia presets`; without it split-digits), and settings that differ "
        "from it, as training.iterations=500.",
        show_default=False,
    ),
]

Method = Annotated[
    str | None, typer.Option(metavar="NAME", help="Method to learn by. [default: the preset's first, mostly hnet]")
]
Preset = Annotated[str, typer.Argument(metavar="PRESET | FILE.yaml", help="A benchmark, as split-digits.")]
Changes = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Settings for every run, as training.iterations=500.", show_default=False),
]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where the files of MNIST or CIFAR are. [default: $HYPERMNESIA_DATA; otherwise downloaded]",
        show_default=False,
    ),
]
NumSeeds = Annotated[int, typer.Option(min=1, metavar="N", help="Runs of each, with seeds 0 to N-1.")]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="Runs at a time.")]


def made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{directory} cannot be made: {error.strerror}; choose another --out.") from error
    return directory


def tell(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def check_used(experiments: Sequence[Experiment], data: Path | None = None, jobs: int = 1, runs: int = 2) -> None:
    """Refuse options that have no effect.

    Raises:
        ConfigurationError: No experiment reads data from files, or what is made at a time is one.
    """
    if data is not None and not any(experiment.reads_files for experiment in experiments):
        raise ConfigurationError("--data: nothing is read from files here; leave it out.")
    if jobs > 1 and runs == 1:
        raise ConfigurationError(f"--jobs {jobs}: there is one to make, which is not divided; leave it out.")


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def positive_numbers(option: str, text: str) -> list[float]:
    """The numbers in a text like `0.1,1`, from the smallest and each once.

    Args:
        option: Whose text it is, for errors.
        text: As it was typed.

    Raises:
        ConfigurationError: One of them is no number, or not above 0; or there is none.
    """
    numbers = set()
    for word in words(text):
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise ConfigurationError(f"{option}: '{word}' is no number above 0; give some, as {option} 0.1,1,10.")
        numbers.add(number)
    if not numbers:
        raise ConfigurationError(f"{option}: there is no number; give some, as {option} 0.1,1,10.")
    return sorted(numbers)


def divide(settings: Sequence[str]) -> tuple[str | None, dict[str, Any]]:
    """The preset or file, if one is named, and the settings that differ from it, by place."""
    from hypermnesia.experiments.settings.sources import assignments

    first = settings[0] if settings else "="
    if "=" in first and not Path(first).is_file():
        return None, assignments(settings)
    return first, assignments(settings[1:])


def with_options(changes: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by place with those that options give; None is none.

    Raises:
        ConfigurationError: An option and a setting say different things.
    """
    given = {place: value for place, value in options.items() if value is not None}
    for place, value in given.items():
        if changes.get(place, value) != value:
            raise ConfigurationError(f"--{place} {value} and {place}={changes[place]}: give one of them.")
    return {**changes, **given}


class ListsMethods(TyperCommand):
    """Command whose help ends with the methods there are. Only asked for help it imports them, and torch with them."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        from hypermnesia.learners import METHODS

        width = max(map(len, METHODS))
        lines = [f"  {name:<{width}}  {method.label}" for name, method in METHODS.items()]
        self.epilog = "\n".join(["\b", "Methods:", *lines])
        super().format_help(ctx, formatter)


def carry_out(
    runs: Sequence[PlannedRun],
    directory: Path,
    jobs: int,
    data: Path | None,
    show: Callable[[Console, Sequence[Outcome]], Sequence[Path]],
) -> None:
    """Carry runs out with a line for each that starts or ends, show what they found, and say which runs failed.

    Args:
        runs: Runs to carry out, each a process of its own.
        directory: Directory of their directories.
        jobs: Number of runs at a time.
        data: Directory of the data; None looks at the usual places.
        show: Prints what the runs found, writes it down and returns the paths of the files.
    """
    from rich.console import Console

    from hypermnesia.experiments.many_runs import processes
    from hypermnesia.experiments.single_run.stopping import StopSignals
    from hypermnesia.report.many_runs import ended, failures, started

    check_used([run.experiment for run in runs], data, jobs, len(runs))
    console = Console()
    with StopSignals() as stop:
        outcomes = processes.carry_out(
            runs,
            directory,
            jobs=jobs,
            data=data,
            started=lambda run: tell(console, started(run)),
            ended=lambda outcome: tell(console, ended(outcome)),
            stop=stop,
        )
    tell(console, f"written to {', '.join(map(str, show(console, outcomes)))}")
    failed = failures(outcomes)
    if stop.received:
        exit_with(128 + stop.received, f"{failed}Stopped, and saved. The same command goes on.")
    if failed:
        exit_with(FAILED, failed.rstrip())


def describe(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"Writing failed: {where}{error.strerror or error}"


def exit_with(code: int, message: str) -> NoReturn:
    print(f"Error: {message}" if code in (WRONG_INPUT, FAILED) else message, file=sys.stderr)
    sys.exit(code)
