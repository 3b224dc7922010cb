"""Many runs, each in a process of its own, so that a failed one takes no other along.

What was finished before is reused, and what was interrupted is continued.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

from hypermnesia.errors import ConfigurationError

_POLL_SECONDS = 0.05
_LAST_LINES = 5


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run: what, with which settings and seed, and what is wanted of it.

    Args:
        group: The name of all runs that differ in the seed only.
        preset: A preset's name or a YAML file, as `hypermnesia run` takes it.
        settings: All that differ from it.
        scenarios: Those in which its accuracy is wanted.
        seed: Root of its chance.
        figures: What else its summary must hold.

    Example:
        >>> PlannedRun("ewc", "split-mnist-ewc", ("scenario=task",), ("task",), 3).name
        'ewc-seed3'
    """

    group: str
    preset: str
    settings: tuple[str, ...]
    scenarios: tuple[str, ...]
    seed: int
    figures: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its directory."""
        return f"{self.group}-seed{self.seed}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        run: Which.
        state: `reused` was finished before; `interrupted` can be continued.
        seconds: It took this time.
        summary: What its summary.json holds, see `hypermnesia.experiments.single_run.summary`; empty unless finished.
        message: What went wrong.

    Example:
        >>> run = PlannedRun("ewc", "split-mnist-ewc", (), ("class",), 0)
        >>> found = {"measure": "accuracy", "scenario_accuracy": {"task": 0.9, "class": 0.2}}
        >>> Outcome(run, "finished", summary=found).averages
        {'class': 0.2}
    """

    run: PlannedRun
    state: Literal["finished", "reused", "failed", "interrupted"]
    seconds: float = 0.0
    summary: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    message: str = ""

    @property
    def averages(self) -> dict[str, float]:
        """Final average accuracy in [0, 1] (or error) in each scenario asked for; empty unless finished."""
        found = self.summary.get(f"scenario_{self.summary.get('measure')}", {})
        return {scenario: float(found[scenario]) for scenario in self.run.scenarios if scenario in found}


def check(runs: Iterable[PlannedRun]) -> None:
    """Refuse settings that cannot be run now, rather than after the runs before them.

    Raises:
        ConfigurationError: Says which run, and all that is wrong with it.
    """
    from hypermnesia.experiments.settings.config import load

    for group, preset, settings in dict.fromkeys((run.group, run.preset, run.settings) for run in runs):
        try:
            load(preset, settings)
        except ConfigurationError as error:
            raise ConfigurationError(f"{group}: {error}") from error


def carry_out(
    runs: Sequence[PlannedRun],
    directory: Path,
    *,
    jobs: int = 1,
    data: Path | None = None,
    started: Callable[[PlannedRun], None] = lambda run: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Carry runs out, each in a process of its own and in a directory of its own below `directory`.

    Finished runs are reused, interrupted ones continued. Once asked to stop, the processes save and stop, and runs not
    started by then are left out of what is returned.

    Args:
        runs: Each with a name of its own; `check` refuses those that cannot be run.
        directory: Must exist.
        jobs: Runs at a time.
        data: Where the data lie; None looks at the usual places.
        started: Called as each process starts.
        ended: Called as each run ends, and for each that is reused.
        stop: Asked all the time.
    """
    waiting: deque[PlannedRun] = deque()
    processes: list[_Process] = []
    outcomes: list[Outcome] = []
    stopping = False

    def end(outcome: Outcome) -> None:
        outcomes.append(outcome)
        ended(outcome)

    for run in runs:
        if before := _finished_before(run, directory / run.name):
            end(before)
        else:
            waiting.append(run)
    try:
        while processes or (waiting and not stop()):
            if stop() and not stopping:
                stopping = True
                for process in processes:
                    process.stop()
            while waiting and len(processes) < jobs and not stop():
                run = waiting.popleft()
                started(run)
                processes.append(_Process(run, directory / run.name, jobs, data))
            for process in [process for process in processes if process.has_ended()]:
                processes.remove(process)
                end(process.outcome(stopping))
            time.sleep(_POLL_SECONDS)
    finally:
        for process in processes:
            process.kill()
    return outcomes


class _Process:
    """A run while it is carried out."""

    def __init__(self, run: PlannedRun, path: Path, jobs: int, data: Path | None) -> None:
        self.run, self._path = run, path
        self._start = time.perf_counter()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process; a pipe could fill up
        arguments = [run.preset, *run.settings, "--seed", str(run.seed)]
        arguments += ["--out", str(path), "--resume", "--quiet"]
        arguments += ["--data", str(data)] if data else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hypermnesia", "run", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=_environment(jobs),
            # Ctrl-C on a terminal goes to a whole group of processes. Ours must get one signal, from us: with two it
            # would stop without saving.
            process_group=0,
        )

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ask it to save and stop. SIGTERM, because it also ends a process that is still starting, without a word."""
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def outcome(self, stopping: bool) -> Outcome:
        seconds = time.perf_counter() - self._start
        code = self._process.returncode
        if code == 0:
            try:
                return Outcome(self.run, "finished", seconds, _summary(self.run, self._path))
            except _UnusableSummaryError as error:
                return Outcome(self.run, "failed", seconds, message=str(error))
        if stopping and code in (-signal.SIGTERM, 128 + signal.SIGTERM):
            return Outcome(self.run, "interrupted", seconds)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        how = f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
        return Outcome(self.run, "failed", seconds, message="\n".join([how, *lines]))


def _environment(jobs: int) -> dict[str, str]:
    """Runs at the same time share the processor, where nobody has divided it otherwise."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    return {"OMP_NUM_THREADS": str(threads), **os.environ} if jobs > 1 else dict(os.environ)


class _UnusableSummaryError(Exception):
    """A summary.json that is missing, damaged, or lacks a scenario or another figure."""


def _finished_before(run: PlannedRun, path: Path) -> Outcome | None:
    """What a run found earlier, or why its directory cannot be used; None if it is to be carried out or continued."""
    try:
        summary = _summary(run, path)
    except _UnusableSummaryError:
        return None
    from hypermnesia.experiments.settings.config import load
    from hypermnesia.experiments.single_run.rundir import RunDirectory

    experiment = load(run.preset, [*run.settings, f"seed={run.seed}"])
    try:
        RunDirectory(path).check(experiment, resume=True, overwrite=False)
    except ConfigurationError as error:
        return Outcome(run, "failed", message=str(error))
    return Outcome(run, "reused", summary=summary)


def _summary(run: PlannedRun, path: Path) -> dict[str, Any]:
    """What a run's summary.json holds, with all that is wanted of the run."""
    file = path / "summary.json"
    try:
        summary = dict(json.loads(file.read_text("utf-8")))
        found = dict(summary[f"scenario_{summary['measure']}"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _UnusableSummaryError(f"{file} gives no averages by scenario") from error
    if missing := [scenario for scenario in run.scenarios if not isinstance(found.get(scenario), int | float)]:
        raise _UnusableSummaryError(
            f"{file} gives no average for {', '.join(missing)}, only for {', '.join(found) or 'none'}"
        )
    if missing := [figure for figure in run.figures if figure not in summary]:
        raise _UnusableSummaryError(f"{file} gives no {', '.join(missing)}")
    return summary
