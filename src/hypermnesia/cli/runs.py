"""One run, and the experiments there are."""

from __future__ import annotations

import functools
import json
import shlex
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from hypermnesia.cli.common import (
    FAILED,
    Data,
    Method,
    Settings,
    Trust,
    check_used,
    describe,
    divide,
    exit_with,
    reachable,
    with_options,
)
from hypermnesia.cli.tracking import Log, with_trackers
from hypermnesia.errors import ConfigurationError, DivergenceError


def run(
    settings: Settings = None,
    method: Method = None,
    seed: Annotated[int | None, typer.Option(help="Root of all chance in the run. [default: 0]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps. [default: auto]")] = None,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", callback=reachable, help="Run directory. [default: runs/NAME-seedSEED]"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the run directory, if any.")] = False,
    trust: Trust = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in the run directory.")] = False,
    log: Log = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the figures at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object on stdout.")] = False,
) -> None:
    """Learn a sequence of tasks and measure what is remembered.

    Continue an interrupted run with --resume; with --out DIR alone it takes the settings from there.

    On several devices: torchrun --standalone --max-restarts 3 --nproc-per-node N -m hypermnesia run …
    """
    if resume and overwrite:
        raise ConfigurationError("--resume and --overwrite exclude each other: continue the run, or replace it.")

    from rich.console import Console

    from hypermnesia import parallel
    from hypermnesia.evaluation.progress import ProgressDisplay, steps_of
    from hypermnesia.experiments.settings.benchmark import load_experiment
    from hypermnesia.experiments.settings.build import build_tasks
    from hypermnesia.experiments.settings.own_files import check_trusted, named_outside
    from hypermnesia.experiments.settings.sources import DEFAULT_PRESET
    from hypermnesia.experiments.single_run.run import RunStopped
    from hypermnesia.experiments.single_run.run import run as carry_out
    from hypermnesia.experiments.single_run.rundir import RunDirectory
    from hypermnesia.experiments.single_run.stopping import StopSignals
    from hypermnesia.experiments.single_run.trackers import check_trackers
    from hypermnesia.report.summary import draw_pictures, print_summary

    source, changes = divide(settings or [])
    changes = with_trackers(with_options(changes, {"seed": seed, "device": device}), log)
    if resume and out and source is None and not changes and not method:
        experiment = RunDirectory(out).read_experiment()
        check_trusted(experiment, out, trust=trust)
    else:
        experiment = load_experiment(DEFAULT_PRESET if source is None else source, changes, method)
    if parallel.was_restarted():
        resume, overwrite = True, False

    check_used([experiment], data)
    check_trackers([experiment])
    directory = RunDirectory(out or Path("runs") / f"{experiment.name}-seed{experiment.seed}")
    again = shlex.join(["hypermnesia", "run", "--resume", "--out", str(directory.path)])
    again += f" --data {shlex.quote(str(data))}" if data else ""
    again += " --trust" if named_outside(experiment) else ""
    with parallel.joined():
        if parallel.rank() == 0:
            directory.check(experiment, resume=resume, overwrite=overwrite)
        tasks = build_tasks(experiment, data)
        console = Console(stderr=as_json, quiet=parallel.rank() > 0)
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
                    resume=resume,
                    overwrite=overwrite,
                    finished=functools.partial(draw_pictures, directory),
                )
            if summary is None:
                return
        except RunStopped:
            exit_with(128 + (stop.received or 0), f"Stopped, and saved. Go on with: {again}")
        except DivergenceError as error:
            exit_with(FAILED, f"{error}. What was measured before is in {directory.path}.")
        except OSError as error:
            exit_with(FAILED, f"{describe(error)}. What was saved before is intact; go on with: {again}")
    if as_json:
        print(json.dumps(summary.as_dict(), allow_nan=False))
    else:
        print_summary(console, summary)


def presets() -> None:
    """List the benchmarks that come with the package, with the methods that have settings of their own for them."""
    from hypermnesia.experiments.settings import sources
    from hypermnesia.learners import METHODS

    names = sources.preset_names()
    width = max(map(len, names))
    for name in names:
        values = sources.read_settings(name)
        print(f"{name:<{width}}  {values['description']}")
        print(f"{'':<{width}}  --method {', '.join(values['methods'])}")
    others = textwrap.fill(", ".join(METHODS), 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    print(
        f"\nEvery method can be run on every benchmark, with default settings where it has none of its own:\n{others}"
    )


def show(settings: Settings = None, method: Method = None) -> None:
    """Print every setting of an experiment as YAML, to read or to start an experiment of one's own from."""
    from hypermnesia.experiments.settings.benchmark import load_experiment
    from hypermnesia.experiments.settings.sources import DEFAULT_PRESET

    source, changes = divide(settings or [])
    print(load_experiment(DEFAULT_PRESET if source is None else source, changes, method).to_yaml(), end="")
