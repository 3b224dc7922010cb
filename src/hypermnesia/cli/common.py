"""Shared parts of commands: options, and how they print and end."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from hypermnesia.claims import claimed
from hypermnesia.cli.output import told
from hypermnesia.errors import ConfigurationError, shown
from hypermnesia.files import remove_left_behind

if TYPE_CHECKING:
    from rich.console import Console

    from hypermnesia.experiments.many_runs.executor import Executor
    from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun
    from hypermnesia.experiments.settings.config import Experiment

WRONG_INPUT, FAILED, INTERRUPTED = 2, 1, 130


def reachable(path: Path | None) -> Path | None:
    """The path of an option, unless no file can be there: its name is too long, or links go round in a circle.

    Raises:
        ConfigurationError: It is such a path.
    """
    try:
        if path is not None:
            path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # what that means is for the command to say
    except OSError as error:
        raise ConfigurationError(f"{shown(str(path))}: {error.strerror}; choose another path.") from error
    return path


def writable(path: Path | None) -> Path | None:
    """The path of an option for a file to write, unless none can be there; looked at before any work is done.

    Raises:
        ConfigurationError: It is a directory, or there is no directory to put it into.
    """
    if (path := reachable(path)) is None:
        return None
    if path.is_dir():
        raise ConfigurationError(f"{shown(str(path))} is a directory; name a file in it.")
    if not path.parent.is_dir():
        what = "is no directory" if path.parent.exists() else "does not exist; make it first"
        raise ConfigurationError(f"{shown(str(path))} cannot be written: {shown(str(path.parent))} {what}.")
    return path


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
        callback=reachable,
        help="Where the files of MNIST or CIFAR are. [default: $HYPERMNESIA_DATA; otherwise downloaded]",
        show_default=False,
    ),
]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Run the code and read the files outside of it that the run directory names."),
]
NumSeeds = Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Runs of each, with seeds 0 to N-1.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1, max=1_000, metavar="N", help="Runs at a time, on this machine. [default: 1]", show_default=False
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Carry them out on a Dask cluster: tcp://HOST:8786, a scheduler file, or local:4 for workers on this "
        "machine (needs the extra `cluster`).",
    ),
]


@contextlib.contextmanager
def writing_into(directory: Path, option: str = "--out", *, alone: bool = True) -> Iterator[None]:
    """Make a directory if need be, and keep other processes from writing into it.

    Args:
        directory: Where to write.
        option: What chooses another one.
        alone: Whether others are kept out.

    Raises:
        ConfigurationError: It cannot be made, or another process writes into it.
    """
    made = [place for place in (directory, *directory.parents) if not place.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{directory} cannot be made: {error.strerror}; choose another {option}.") from error
    try:
        with claimed(directory) if alone else contextlib.nullcontext():
            if alone:
                remove_left_behind(directory)
            yield
    except ConfigurationError:  # what is refused leaves nothing behind
        for place in made:
            with contextlib.suppress(OSError):
                place.rmdir()
        raise


def tell(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def words(text: str | None, option: str = "") -> list[str]:
    """The words of a text like `hnet,ewc`; none where the option was not given.

    Raises:
        ConfigurationError: The option was given, without a word.
    """
    found = [word.strip() for word in (text or "").split(",") if word.strip()]
    if option and text is not None and not found:
        raise ConfigurationError(f"{option}: there is no name in {shown(text)}; give some with commas between.")
    return found


def check_used(experiments: Sequence[Experiment], data: Path | None = None, jobs: int = 1, runs: int = 2) -> None:
    """Refuse options that have no effect.

    Raises:
        ConfigurationError: No experiment reads data from files, or what is made at a time is one.
    """
    if data is not None and not any(experiment.reads_files for experiment in experiments):
        from hypermnesia.experiments.settings.task_settings import NamedData

        own = any(not isinstance(source, NamedData) for each in experiments for source in each.sources)
        where = "the settings say where the data are" if own else "nothing is read from files here"
        raise ConfigurationError(f"--data: {where}; leave it out.")
    if jobs > 1 and runs == 1:
        raise ConfigurationError(f"--jobs {jobs}: there is one to make, which is not divided; leave it out.")


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse arguments that are no text.

    Raises:
        ConfigurationError: One holds bytes that are no UTF-8, which no file of a run could name.
    """
    for argument in arguments:
        if not argument.isascii() and any("\ud800" <= each <= "\udfff" for each in argument):
            raise ConfigurationError(f"{shown(argument)} is no text in UTF-8; give it another name.")


def positive_numbers(option: str, text: str, most: float = math.inf) -> list[float]:
    """The numbers in a text like `0.1,1`, from the smallest and each once.

    Args:
        option: Whose text it is, for errors.
        text: As it was typed.
        most: Largest number allowed.

    Raises:
        ConfigurationError: One of them is no number, not above 0, or too large; or there is none.
    """
    numbers = set()
    for word in words(text):
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            raise ConfigurationError(f"{option}: {shown(word)} is no number above 0; give some, as {option} 0.1,1,10.")
        if number > most:
            raise ConfigurationError(f"{option}: {number:g} is more than {most:g}, the largest allowed.")
        numbers.add(number)
    if not numbers:
        raise ConfigurationError(f"{option}: there is no number; give some, as {option} 0.1,1,10.")
    return sorted(numbers)


def divide(settings: Sequence[str]) -> tuple[str | None, dict[str, Any]]:
    """The preset or file, if one is named, and the settings that differ from it, by place."""
    from hypermnesia.experiments.settings.sources import assignments

    if not settings:
        return None, {}
    first = settings[0]
    if "=" in first and not _is_file(first):
        return None, assignments(settings)
    return first, assignments(settings[1:])


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # no file can have this name
        return False


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


def carry_out_and_show(
    runs: Sequence[PlannedRun],
    directory: Path,
    jobs: int | None,
    cluster: str | None,
    data: Path | None,
    show: Callable[[Console, Sequence[Outcome]], Sequence[Path]],
) -> None:
    """Carry runs out with a line for each that starts or ends, show what they found, and say which runs failed.

    Args:
        runs: Runs to carry out, each a process of its own.
        directory: Directory of their directories; made if need be.
        jobs: Number of runs at a time on this machine; None: one, or as many as the cluster has room for.
        cluster: Address of a cluster; None: this machine.
        data: Directory of the data; None looks at the usual places.
        show: Prints what the runs found, writes it down and returns the paths of the files.
    """
    from rich.console import Console

    from hypermnesia.experiments.many_runs.carry_out import carry_out
    from hypermnesia.experiments.settings.build import check_sizes
    from hypermnesia.experiments.single_run.stopping import StopSignals
    from hypermnesia.experiments.single_run.trackers import check_trackers
    from hypermnesia.report.many_runs import RunsDisplay, failures

    check_used([run.experiment for run in runs], data, jobs or 1, len(runs))
    check_trackers(run.experiment for run in runs)
    if cluster is None:  # machines of a cluster may have more memory
        for run in {run.group: run for run in runs}.values():
            check_sizes(run.experiment)
    console = Console()
    with writing_into(directory):
        executor = executor_of(jobs, cluster, directory)
        with StopSignals() as stop, RunsDisplay(console, len(runs)) as display:
            outcomes = carry_out(
                runs,
                directory,
                executor=executor,
                data=data,
                started=display.started,
                advanced=display.advanced,
                ended=display.ended,
                stop=stop,
            )
        if any(outcome.recorded for outcome in outcomes):  # else older tables would give way to empty ones
            tell(console, f"written to {', '.join(map(str, show(console, outcomes)))}")
    failed = failures(outcomes)
    if stop.received:
        exit_with(128 + stop.received, f"{failed}Stopped, and saved. The same command goes on.")
    if failed:
        exit_with(FAILED, failed.rstrip())


def executor_of(jobs: int | None, cluster: str | None, directory: Path) -> Executor:
    """What carries processes out.

    Args:
        jobs: Number of processes at a time on this machine; None: one.
        cluster: Address of a cluster; None: this machine.
        directory: Directory of what they write.

    Raises:
        ConfigurationError: Both are given, or there is no such cluster.
    """
    if cluster is None:
        from hypermnesia.experiments.many_runs.processes import Processes

        return Processes(jobs or 1)
    if jobs is not None:
        raise ConfigurationError(
            "--jobs and --cluster exclude each other: a cluster has as many at a time as its workers have threads."
            " Leave out one of them, or give --cluster local:N."
        )
    from hypermnesia.experiments.many_runs.cluster import Cluster

    return Cluster(cluster, directory)


def describe(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"Writing failed: {where}{error.strerror or error}"


def exit_with(code: int, message: str) -> NoReturn:
    print(told(f"Error: {message}" if code in (WRONG_INPUT, FAILED) else message), file=sys.stderr)
    sys.exit(code)
