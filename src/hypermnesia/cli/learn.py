"""A finished run learns one more task."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hypermnesia.cli.common import Trust, exit_with, reachable
from hypermnesia.errors import ConfigurationError

if TYPE_CHECKING:
    from hypermnesia.experiments.settings.config import Experiment
    from hypermnesia.experiments.settings.task_settings import FurtherTask
    from hypermnesia.inputs import Shape


def learn(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", callback=reachable, help="Directory of a finished run.", show_default=False),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="How the data are read, as data.labels=species, data.test=0.5 or validation=0.1. [default: as in RUN]",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            callback=reachable,
            help="The task's examples: a folder with a folder of pictures for each class, or a file of arrays.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", callback=reachable, help="New run directory. [default: RUN-and-NAME]"),
    ] = None,
    trust: Trust = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the figures at the end.")] = False,
) -> None:
    """Let what a finished run has learned learn one more task, and measure all tasks again.

    RUN stays as it is; what comes of it is a run directory of its own, for `predict`, `export`, `report` and for
    further tasks. The same command goes on after Ctrl-C.
    """
    from rich.console import Console

    from hypermnesia.evaluation.progress import ProgressDisplay, steps_of
    from hypermnesia.experiments.settings.build import build_tasks
    from hypermnesia.experiments.settings.own_files import check_trusted
    from hypermnesia.experiments.single_run.environment import environment
    from hypermnesia.experiments.single_run.further import begin_further
    from hypermnesia.experiments.single_run.run import RunStopped
    from hypermnesia.experiments.single_run.run import run as carry_out
    from hypermnesia.experiments.single_run.rundir import RunDirectory
    from hypermnesia.experiments.single_run.stopping import StopSignals
    from hypermnesia.report.summary import draw_pictures, print_summary
    from hypermnesia.training.checkpoint import read_state
    from hypermnesia.training.device import resolve_device

    finished = RunDirectory(run)
    before = finished.read_finished_experiment()
    check_trusted(before, run, trust=trust)
    further = _further(before, read_state(finished.learner)["state"]["input_shape"], data, settings or [])
    name = re.sub(r"[^\w.+-]", "-", getattr(further.data, "name", "more"))
    changes = {"further": (*before.further, further), "name": f"{before.name}-and-{name}"}
    experiment = before.model_copy(update=changes)
    directory = RunDirectory(out or run.with_name(f"{run.name}-and-{name}"))
    tasks = build_tasks(experiment)
    directory.check(experiment, resume=True, overwrite=False)
    if directory.is_free():
        begin_further(finished, directory, experiment, tasks, environment(resolve_device(experiment.device)))
    console = Console()
    names, steps = [task.name for task in tasks], steps_of(tasks, experiment.training)
    display = ProgressDisplay(console, names, experiment.metric, steps, quiet=quiet)
    try:
        with StopSignals() as stop, display:
            summary = carry_out(
                experiment,
                tasks,
                directory,
                display=display,
                stop=stop,
                resume=True,
                finished=functools.partial(draw_pictures, directory),
            )
    except RunStopped:
        again = shlex.join(["hypermnesia", "run", "--resume", "--trust", "--out", str(directory.path)])
        exit_with(128 + (stop.received or 0), f"Stopped, and saved. Go on with the same command, or: {again}")
    assert summary is not None  # there is one rank
    print_summary(console, summary)


def _further(before: Experiment, shape: Shape, path: Path | None, settings: list[str]) -> FurtherTask:
    """Settings of the new task: as those of the run, where they are of its kind, and as somebody says."""
    from hypermnesia.experiments.settings.own_files import with_absolute_paths
    from hypermnesia.experiments.settings.sources import assignments
    from hypermnesia.experiments.settings.task_settings import FurtherTask
    from hypermnesia.settings import checked

    given = assignments(settings)
    if wrong := next((place for place in given if place.split(".")[0] not in ("data", "validation")), None):
        raise ConfigurationError(
            f"{wrong} is a setting of the run, which goes on as it was begun; only data.… and validation are the new"
            " task's."
        )
    validation = given.pop("validation", getattr(before.tasks, "validation", 0))
    section = {place.removeprefix("data."): value for place, value in given.items()}
    if path is not None:
        if clash := section.keys() & {"path", "data"}:
            raise ConfigurationError(f"--data and {clash.pop()}: give one of them.")
        section["path"] = str(path)
    elif not section:
        raise ConfigurationError("--data is missing: where the new task's examples are, as --data new-pictures.")
    section.setdefault("kind", "folder" if path is not None and path.is_dir() else "arrays")
    values = with_absolute_paths({"data": {**_as_in(before, section["kind"], shape), **section}}, Path.cwd())
    return checked(FurtherTask, {**values, "validation": validation}, "The new task cannot be learned.")


def _as_in(before: Experiment, kind: str, shape: Shape) -> Mapping[str, Any]:
    """How data of a kind are read in the run, without which data they are."""
    own = [source for source in before.sources if source.kind == kind]
    values = own[-1].model_dump(exclude={"path", "name", "call", "arguments"}) if own else {}
    if isinstance(values.get("test"), str):
        del values["test"]
    if kind == "folder":
        if not (isinstance(shape, (tuple, list)) and len(shape) == 3 and shape[0] in (1, 3)):
            raise ConfigurationError(f"the run has learned inputs of shape {list(shape)}, which are no pictures.")
        values |= {"size": tuple(shape[1:]), "colors": "gray" if shape[0] == 1 else "rgb"}
    return values
