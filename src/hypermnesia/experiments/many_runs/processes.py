"""Many runs, each in a process of its own, so that a failed one takes no other along.

What was finished before is reused, and what was interrupted is continued.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Literal

from hypermnesia.errors import ConfigurationError, Note, note
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun, read_run
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory

_POLL_SECONDS = 0.05
_LAST_LINES = 5


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run that is to be carried out, and what is wanted of it.

    Args:
        group: Name of all runs that differ in the seed only.
        experiment: What to run; its seed tells it from others of its group.
        scenarios: Scenarios in which its average is wanted.

    Example:
        >>> from hypermnesia.experiments.settings.benchmark import load_experiment
        >>> PlannedRun("ewc", load_experiment("split-mnist", {"seed": 3}, method="ewc"), ("class",)).name
        'ewc-seed3'
    """

    group: str
    experiment: Experiment
    scenarios: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of its directory."""
        return f"{self.group}-seed{self.experiment.seed}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """End of a run.

    Args:
        run: The planned run.
        state: `reused` was finished before; `interrupted` can be continued.
        seconds: Time it took.
        recorded: What it found; None unless it is finished.
        message: What went wrong.
    """

    run: PlannedRun
    state: Literal["finished", "reused", "failed", "interrupted"]
    seconds: float = 0.0
    recorded: RecordedRun | None = None
    message: str = ""

    @property
    def averages(self) -> dict[str, float]:
        """Final average accuracy in [0, 1] (or error) in each scenario asked for; empty unless finished."""
        found = self.recorded.averages if self.recorded else {}
        return {scenario: found[scenario] for scenario in self.run.scenarios if scenario in found}


def over_seeds(runs: Sequence[PlannedRun], seeds: int) -> list[PlannedRun]:
    """Each run with each seed from 0 on, seed by seed."""
    return [
        dataclasses.replace(run, experiment=run.experiment.model_copy(update={"seed": seed}))
        for seed in range(seeds)
        for run in runs
    ]


def grouped(name: str, outcomes: Sequence[Outcome]) -> Group:
    """The finished runs of a group, by seed."""
    found = [each.recorded for each in outcomes if each.run.group == name and each.recorded is not None]
    return Group(name, tuple(sorted(found, key=lambda run: run.seed or 0)))


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
        runs: Each with a name of its own.
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
    settings = tempfile.TemporaryDirectory()
    try:
        while processes or (waiting and not stop()):
            if stop() and not stopping:
                stopping = True
                for process in processes:
                    process.stop()
            while waiting and len(processes) < jobs and not stop():
                run = waiting.popleft()
                started(run)
                processes.append(_Process(run, Path(settings.name), directory / run.name, jobs, data))
            for process in [process for process in processes if process.has_ended()]:
                processes.remove(process)
                for text in process.notes():
                    note(text)
                end(process.outcome(stopping))
            time.sleep(_POLL_SECONDS)
    finally:
        for process in processes:
            process.kill()
        settings.cleanup()
    return outcomes


class _Process:
    """A run while it is carried out."""

    def __init__(self, run: PlannedRun, settings: Path, path: Path, jobs: int, data: Path | None) -> None:
        self.run, self._path = run, path
        self._start = time.perf_counter()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process; a pipe could fill up
        file = settings / f"{run.name}.yaml"
        file.write_text(run.experiment.to_yaml(), "utf-8")
        of_data = ["--data", str(data)] if data and run.experiment.reads_files else []
        arguments = [str(file), "--out", str(path), "--resume", "--quiet", *of_data]
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

    def notes(self) -> list[str]:
        """What it noted, which concerns the other runs, too: so it is noted here, where each text is told once."""
        lines = self._errors_so_far()
        return [line.removeprefix(Note.BEGINNING) for line in lines if line.startswith(Note.BEGINNING)]

    def _errors_so_far(self) -> list[str]:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip().splitlines()

    def outcome(self, stopping: bool) -> Outcome:
        seconds = time.perf_counter() - self._start
        code = self._process.returncode
        if code == 0:
            try:
                return Outcome(self.run, "finished", seconds, _found(self.run, self._path))
            except _IncompleteError as error:
                return Outcome(self.run, "failed", seconds, message=str(error))
        if stopping and code in (-signal.SIGTERM, 128 + signal.SIGTERM):
            return Outcome(self.run, "interrupted", seconds)
        lines = self._errors_so_far()[-_LAST_LINES:]
        how = f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
        return Outcome(self.run, "failed", seconds, message="\n".join([how, *lines]))


def _environment(jobs: int) -> dict[str, str]:
    """Runs at the same time share the processor, where nobody has divided it otherwise."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    return {"OMP_NUM_THREADS": str(threads), **os.environ} if jobs > 1 else dict(os.environ)


class _IncompleteError(Exception):
    """A run that is not finished, is damaged, or lacks a figure that is wanted of it."""


def _finished_before(run: PlannedRun, path: Path) -> Outcome | None:
    """Outcome of an earlier run, or why its directory cannot be used; None if it is to be carried out or continued."""
    try:
        found = _found(run, path)
    except _IncompleteError:
        return None
    try:
        RunDirectory(path).check(run.experiment, resume=True, overwrite=False)
    except ConfigurationError as error:
        return Outcome(run, "failed", message=str(error))
    return Outcome(run, "reused", recorded=found)


def _found(run: PlannedRun, path: Path) -> RecordedRun:
    """Outcome of a finished run, with all that is wanted of it."""
    found = read_run(path, history=False)
    if not found.finished or found.problems:
        raise _IncompleteError(" ".join(found.problems) or f"{path} holds no finished run")
    if missing := [scenario for scenario in run.scenarios if scenario not in found.averages]:
        raise _IncompleteError(
            f"{path} holds no average for {', '.join(missing)}, only for {', '.join(found.averages) or 'none'}"
        )
    return found
