"""Many runs, each in a process of its own, so that a failed one takes no other along.

What was finished before is reused, and what was interrupted is continued.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hypermnesia.errors import ConfigurationError, DataError, Note, note
from hypermnesia.experiments.many_runs.executor import Executor, Exit, Job, News
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun, threads
from hypermnesia.experiments.many_runs.processes import Processes
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun, read_run
from hypermnesia.experiments.settings.build import build_tasks
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.same_data import check_unchanged, digests, has_own_data
from hypermnesia.experiments.single_run.stopping import STOP

_LAST_LINES = 5
_MOST_REFUSED = 3
"""Runs that are refused in so many words; the others are counted."""
_Digests = Callable[[Experiment], Mapping[str, str]]


def carry_out(
    runs: Sequence[PlannedRun],
    directory: Path,
    *,
    executor: Executor | None = None,
    data: Path | None = None,
    started: Callable[[PlannedRun, str], None] = lambda run, where: None,
    advanced: Callable[[PlannedRun, str, str], None] = lambda run, where, line: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Carry runs out, each in a process of its own and in a directory of its own below `directory`.

    Finished runs are reused, interrupted ones continued. Once asked to stop, the processes save and stop, and runs not
    started by then are left out of what is returned.

    Args:
        runs: Each with a name of its own.
        directory: Must exist.
        executor: What carries the processes out, and is closed then; None: this machine, one at a time.
        data: Where the data lie; None looks at the usual places.
        started: Called with a run as its process starts, and with where that is; again if it starts once more.
        advanced: Called with a run, where it is, and a line that tells how far.
        ended: Called as each run ends, and for each that is reused.
        stop: Asked all the time.

    Raises:
        ConfigurationError: A finished run has other settings, or has learned other data, than those planned. Nothing
            has begun then.
    """
    planned = {run.name: run for run in runs}
    outcomes: list[Outcome] = []
    stopping = False

    def end(outcome: Outcome) -> None:
        outcomes.append(outcome)
        ended(outcome)

    def tell(news: News) -> None:
        run = planned[news.job]
        if news.exit:
            for text in _notes(news.exit):
                note(text)
            end(_outcome(run, news.exit, directory / run.name, stopping))
        elif news.line:
            advanced(run, news.where, news.line)
        else:
            started(run, news.where)

    with executor or Processes() as executor:
        before = _finished_before(runs, directory, data)
        for run in runs:
            if run.name in before:
                end(Outcome(run, "reused", recorded=before[run.name]))
            else:
                executor.submit(_job(run, directory / run.name, data))
        while executor.busy:
            if not stopping and stop():
                stopping = True
                executor.stop()
            for news in executor.news():
                tell(news)
    return outcomes


def _job(run: PlannedRun, path: Path, data: Path | None) -> Job:
    return Job(
        name=run.name,
        command="run",
        settings=run.experiment.to_yaml(),
        threads=threads(run.experiment),
        arguments=("--resume",),
        directory=path,
        data=data if run.experiment.reads_files else None,
        gpu=run.experiment.device.startswith("cuda"),
    )


def _notes(ended: Exit) -> list[str]:
    """What it noted, which concerns the other runs, too: so it is noted here, where each text is told once."""
    return [line.removeprefix(Note.BEGINNING) for line in ended.errors if line.startswith(Note.BEGINNING)]


def _outcome(run: PlannedRun, ended: Exit, path: Path, stopping: bool) -> Outcome:
    if ended.code == 0:
        try:
            return Outcome(run, "finished", ended.seconds, _found(run, path))
        except _IncompleteError as error:
            return Outcome(run, "failed", ended.seconds, message=str(error))
    if stopping and ended.code == 128 + STOP:
        return Outcome(run, "interrupted", ended.seconds)
    return Outcome(run, "failed", ended.seconds, message="\n".join([_how(ended.code), *ended.errors[-_LAST_LINES:]]))


def _how(code: int) -> str:
    """An exit code in words.

    Example:
    >>> _how(2), _how(143)
    ('exit code 2', 'ended by SIGTERM')
    """
    killed = code - 128 in set(signal.Signals)
    return f"ended by {signal.Signals(code - 128).name}" if killed else f"exit code {code}"


class _IncompleteError(Exception):
    """A run that is not finished, is damaged, or lacks a figure that is wanted of it."""


def _finished_before(runs: Sequence[PlannedRun], directory: Path, data: Path | None) -> dict[str, RecordedRun]:
    """What earlier runs have found that are just as planned, by name.

    Raises:
        ConfigurationError: Some are finished and not as planned: beside the others they would be taken for alike.
    """
    digests_now = _reading_once(data)
    found: dict[str, RecordedRun] = {}
    refused: list[str] = []
    for run in runs:
        try:
            found[run.name] = _found(run, directory / run.name)
            _check_as_planned(run, RunDirectory(directory / run.name), digests_now)
        except _IncompleteError:
            pass  # it is to be carried out, or continued
        except ConfigurationError as error:
            refused.append(str(error))
    if refused:
        more = [f"And so for {len(refused) - _MOST_REFUSED} more."] if len(refused) > _MOST_REFUSED else []
        raise ConfigurationError("\n".join([*refused[:_MOST_REFUSED], *more]))
    return found


def _check_as_planned(run: PlannedRun, finished: RunDirectory, digests_now: _Digests) -> None:
    finished.check(run.experiment, resume=True, overwrite=False)
    if has_own_data(run.experiment):
        check_unchanged(
            finished, digests_now(run.experiment), f"remove {finished.path}, or choose another directory (out)"
        )


def _reading_once(data: Path | None) -> _Digests:
    """What gives digests of an experiment's examples, and reads those that several runs have in common once."""
    read: dict[str, Mapping[str, str]] = {}

    def digests_now(experiment: Experiment) -> Mapping[str, str]:
        made_of = experiment.model_dump_json(include={"data", "tasks", "further", "seed"})
        if made_of not in read:
            try:
                read[made_of] = digests(build_tasks(experiment.model_copy(update={"device": "cpu"}), data))
            except DataError as error:  # those that lie on the machines of a cluster, among others
                note(f"Whether finished runs have learned the data of today is not known: {error}")
                read[made_of] = {}
        return read[made_of]

    return digests_now


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
