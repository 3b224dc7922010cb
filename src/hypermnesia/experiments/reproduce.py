"""Setting our accuracies beside published ones: which runs that takes, carrying them out, collecting what they found.

Each run is a process of its own, `hypermnesia run`, so that a failed one takes no other along.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.published import Accuracy, PublishedTable, Reproduction

_POLL_SECONDS = 0.05
_LAST_LINES = 5
# Settings under which the same is learned, so that with others the published experiment is still the published one.
_WITHOUT_INFLUENCE = {"device", "threads", "recording", "evaluation"}


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run: what, with which settings and seed, and which cells of the table it answers for.

    Args:
        cells: The run of the table.
        scenarios: Those that are asked for.
        settings: All that differ from the preset.
        seed: Root of its chance.
    """

    cells: Reproduction
    scenarios: tuple[str, ...]
    settings: tuple[str, ...]
    seed: int

    @property
    def name(self) -> str:
        """Of its directory."""
        return f"{self.cells.name}-seed{self.seed}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        run: Which.
        state: `reused` was finished before; `interrupted` can be continued.
        seconds: It took this time.
        accuracy: Final average accuracy in [0, 1] in each scenario asked for; empty unless finished.
        message: What went wrong.
    """

    run: PlannedRun
    state: Literal["finished", "reused", "failed", "interrupted"]
    seconds: float = 0.0
    accuracy: Mapping[str, float] = dataclasses.field(default_factory=dict)
    message: str = ""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One accuracy, published and ours.

    Args:
        published: In percent; None if it was not.
        published_seeds: Over how many.
        ours: In percent, one for each seed.

    Example:
        >>> cell = Cell(Accuracy(99.79, 0.01), 20, (99.5, 99.7))
        >>> round(cell.mean, 2), round(cell.sem, 2), cell.below
        (99.6, 0.1, False)
    """

    published: Accuracy | None
    published_seeds: int
    ours: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """Over our seeds; None without any."""
        return statistics.fmean(self.ours) if self.ours else None

    @property
    def sem(self) -> float | None:
        """Standard error of our mean; None for fewer than two seeds."""
        return statistics.stdev(self.ours) / math.sqrt(len(self.ours)) if len(self.ours) > 1 else None

    @property
    def below(self) -> bool | None:
        """Whether ours is below the published by more than two standard errors of the difference.

        A single seed is taken to spread as the published ones do. None where there is nothing to compare.
        """
        if self.published is None or self.mean is None:
            return None
        sem = self.published.sem * math.sqrt(self.published_seeds) if self.sem is None else self.sem
        return self.published.mean - self.mean > 2 * math.hypot(self.published.sem, sem)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A published table with our accuracies in it.

    Args:
        table: The part of it that was asked for.
        measured: By benchmark, scenario and method: percent, one for each finished seed.
        changes: Settings of ours that are not the published ones.
    """

    table: PublishedTable
    measured: Mapping[tuple[str, str, str], tuple[float, ...]]
    changes: tuple[str, ...] = ()

    def cell(self, benchmark: str, scenario: str, method: str) -> Cell:
        """What is known of one cell."""
        published = self.table.accuracy[benchmark][scenario].get(method)
        return Cell(published, self.table.seeds, self.measured.get((benchmark, scenario, method), ()))


def plan(table: PublishedTable, seeds: int = 1, overrides: Sequence[str] = ()) -> list[PlannedRun]:
    """The runs a table takes, seed by seed.

    Args:
        table: What `published.select` left of it.
        seeds: How many; they count from 0.
        overrides: Settings for every run, as `training.iterations=10`.

    Raises:
        ConfigurationError: An override of what the table decides, or settings that cannot be run.

    Example:
        >>> from hypermnesia.experiments.published import load, select
        >>> [run.name for run in plan(select(load("table-1"), ["split-mnist"], ["hnet-ent"]), seeds=2)]
        ['split-mnist_hnet-ent-seed0', 'split-mnist_hnet-ent-seed1']
    """
    for assignment in overrides:
        for key, option in (("seed", "--seeds"), ("scenario", "--only")):
            if assignment.partition("=")[0] == key:
                raise ConfigurationError(f"'{assignment}': the table decides on the {key}; choose with {option}.")
    runs = [
        PlannedRun(run, table.scenarios(run), (*run.settings, *overrides), seed)
        for seed in range(seeds)
        for run in table.runs
    ]
    _check(runs)
    return runs


def _check(runs: Iterable[PlannedRun]) -> None:
    """Refuse settings that cannot be run now, rather than after the runs before them."""
    from hypermnesia.experiments.config import load

    for preset, settings in dict.fromkeys((run.cells.preset, run.settings) for run in runs):
        load(preset, settings)


def changes(overrides: Iterable[str]) -> tuple[str, ...]:
    """Those overrides that change what is learned.

    Example:
        >>> changes(["training.iterations=10", "device=cuda"])
        ('training.iterations=10',)
    """
    return tuple(text for text in overrides if text.partition("=")[0].split(".")[0] not in _WITHOUT_INFLUENCE)


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
        runs: Made by `plan`.
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


def compare(table: PublishedTable, outcomes: Iterable[Outcome], changes: Sequence[str] = ()) -> Comparison:
    """What the runs found, beside what was published.

    Args:
        table: The one that the runs were planned from.
        outcomes: Runs that did not finish are passed over.
        changes: Settings that are not the published ones.
    """
    measured: dict[tuple[str, str, str], tuple[float, ...]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.run.seed):
        cells = outcome.run.cells
        for scenario, accuracy in outcome.accuracy.items():
            cell = (cells.benchmark, scenario, cells.method)
            measured[cell] = (*measured.get(cell, ()), 100 * accuracy)
    return Comparison(table, measured, tuple(changes))


class _Process:
    """A run while it is carried out."""

    def __init__(self, run: PlannedRun, path: Path, jobs: int, data: Path | None) -> None:
        self.run, self._path = run, path
        self._start = time.perf_counter()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process; a pipe could fill up
        arguments = [run.cells.preset, *run.settings, "--seed", str(run.seed)]
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
                return Outcome(self.run, "finished", seconds, _accuracies(self.run, self._path))
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
    """A summary.json that is missing, damaged, or lacks a scenario."""


def _finished_before(run: PlannedRun, path: Path) -> Outcome | None:
    """What a run found earlier, or why its directory cannot be used; None if it is to be carried out or continued."""
    try:
        accuracy = _accuracies(run, path)
    except _UnusableSummaryError:
        return None
    from hypermnesia.experiments.config import load
    from hypermnesia.experiments.rundir import RunDirectory

    experiment = load(run.cells.preset, [*run.settings, f"seed={run.seed}"])
    try:
        RunDirectory(path).check(experiment, resume=True, overwrite=False)
    except ConfigurationError as error:
        return Outcome(run, "failed", message=str(error))
    return Outcome(run, "reused", accuracy=accuracy)


def _accuracies(run: PlannedRun, path: Path) -> dict[str, float]:
    """Accuracy in each scenario the run is asked for, from its summary.json."""
    try:
        summary = json.loads((path / "summary.json").read_text("utf-8"))
        found = dict(summary["scenario_accuracy"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _UnusableSummaryError(f"{path / 'summary.json'} gives no accuracies by scenario") from error
    if missing := [scenario for scenario in run.scenarios if not isinstance(found.get(scenario), int | float)]:
        raise _UnusableSummaryError(
            f"{path / 'summary.json'} gives no accuracy for {', '.join(missing)}, only for {', '.join(found) or 'none'}"
        )
    return {scenario: float(found[scenario]) for scenario in run.scenarios}
