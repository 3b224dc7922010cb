"""Looking for a method's best settings on validation data; test data play no part."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from hypermnesia.errors import DivergenceError, HypermnesiaError
from hypermnesia.evaluation.sequence import Observer, Scores, learn_and_evaluate
from hypermnesia.experiments.many_runs.executor import Executor, Job
from hypermnesia.experiments.many_runs.plan import threads
from hypermnesia.experiments.many_runs.search import Search, Trial
from hypermnesia.experiments.many_runs.study import (
    check_same_examples,
    open_study,
    storage_at_work,
    take_up_unfinished,
)
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.stopping import STOP
from hypermnesia.files import write_atomically
from hypermnesia.seeds import Seeds
from hypermnesia.settings import checked
from hypermnesia.tasks import Scenario, Task

if TYPE_CHECKING:
    import optuna

_VALIDATION = 0.1
"""Share of the training examples to measure on, where the experiment sets none aside."""
_POLL_SECONDS = 0.5
_LAST_LINES = 5
TUNED = "tuned.yaml"
"""File in the directory of a search, with the best settings."""


class SearchError(HypermnesiaError):
    """Processes that were to make trials have failed."""


def tune(
    search: Search, *, executor: Executor | None = None, told: Callable[[Trial], None] = lambda trial: None
) -> list[Trial]:
    """Make the trials that are missing; the best settings are then in `tuned.yaml`, ready to run.

    Every trial is in the study as soon as it ended, so a search that is stopped or killed goes on with the same call.
    A trial that falls behind the median of the others is given up.

    Args:
        search: What to look for.
        executor: What carries out processes that make trials, as many as it has room for; None: this one makes them.
        told: Called as each trial starts (it is `running` then), and as it ends.

    Returns:
        All trials, the best first.

    Raises:
        ConfigurationError: Optuna is not installed, there is no such storage, the directory holds the study of another
            experiment, or the examples are no longer those of the trials in it.
        SearchError: A process that makes trials has failed.
        StorageError: What holds the trials fails amid the search.
    """
    study = open_study(search)
    with storage_at_work(search):
        if search.storage is None:  # else others may be at work in it
            take_up_unfinished(study)
        try:
            if executor is None:
                _work(search, 0, told)
            else:
                with executor:
                    _watch(search, study, executor, told)
        finally:
            # Also of a search that was stopped.
            sign = search.experiment.metric.sign
            trials = sorted(
                map(_trial, study.get_trials()),
                key=lambda trial: (trial.average is None, -sign * (trial.average or 0.0), trial.number),
            )
            if trials and trials[0].average is not None:
                write_atomically(search.directory / TUNED, _tuned(search.experiment, trials[0]).to_yaml().encode())
    return trials


def take_part(search: Search, number: int) -> None:
    """Make trials of a search that another process has begun, until there are enough; `STOP` ends it.

    A trial that is under way then has failed.

    Args:
        search: Must be the same.
        number: Tells the process from others that have been started with it.
    """
    signal.signal(STOP, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), storage_at_work(search):
        _work(search, number)


def _watch(search: Search, study: optuna.Study, executor: Executor, told: Callable[[Trial], None]) -> None:
    """Have processes make trials, and tell of these, until all processes have ended."""
    for number in range(executor.room):
        executor.submit(_job(search, number))
    known = {trial.number: trial.state for trial in study.get_trials()}
    failures: dict[str, str] = {}
    stopped, looked = False, -_POLL_SECONDS
    while True:
        busy = executor.busy
        try:
            for news in executor.news() if busy else ():
                if news.exit and news.exit.code:
                    failures[news.job] = "\n".join(news.exit.errors[-_LAST_LINES:])
            if not busy or time.monotonic() - looked > _POLL_SECONDS:
                looked = time.monotonic()
                for trial in study.get_trials():
                    # Its settings come one by one.
                    if len(trial.params) == len(search.space) and known.get(trial.number) != trial.state:
                        known[trial.number] = trial.state
                        told(_trial(trial))
        except KeyboardInterrupt:
            if stopped:
                raise
            stopped = True
            executor.stop()
        if not busy:
            break
    if stopped:
        raise KeyboardInterrupt
    if failures:
        raise SearchError("\n".join(f"{name} has failed:\n{why}" for name, why in failures.items()))


def _job(search: Search, number: int) -> Job:
    only = ("--only", ",".join(search.only)) if search.only else ()
    # Not the job's own directory, which would travel: all of them write to the same study.
    where = ("--storage", search.storage) if search.storage else ("--out", str(search.directory.absolute()))
    return Job(
        name=f"searcher-{number}",
        command="tune",
        settings=search.experiment.to_yaml(),
        threads=threads(search.experiment),
        arguments=("--join", str(number), "--trials", str(search.trials), *where, *only),
        data=search.data if search.experiment.reads_files else None,
        gpu=search.experiment.device.startswith("cuda"),
    )


def _work(search: Search, number: int, told: Callable[[Trial], None] = lambda trial: None) -> None:
    import optuna

    torch.set_num_threads(threads(search.experiment))
    tasks = _without_test(search)
    study = open_study(search)
    check_same_examples(study, search, tasks)
    counted = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    # Processes that make trials at the same time must not suggest the same, on whichever machine they are.
    machine = (socket.gethostname(), os.getpid()) if search.storage else ()
    seeds = Seeds(search.experiment.seed).child("search", number, *machine)
    while (made := len(study.get_trials(states=counted))) < search.trials:
        # A seed for each trial: one sampler for all would, in a search that goes on, suggest the same once more.
        seed = seeds.child(made).integer() % 2**32
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=5)
        study.optimize(
            functools.partial(_average, search, tasks, told),
            n_trials=1,
            callbacks=[lambda study, trial: told(_trial(trial))],
            catch=(),
        )


def _average(search: Search, tasks: Sequence[Task], told: Callable[[Trial], None], trial: optuna.Trial) -> float:
    """Learn all tasks with settings that the trial suggests; how well that does on validation data."""
    suggested = {
        place: trial.suggest_float(place, where.low, where.high, log=where.log) for place, where in search.space.items()
    }
    told(Trial(trial.number, suggested, None, "running"))
    experiment = _with_settings(search.experiment, suggested)
    reporting = _Reporting(trial, experiment.scenario, len(tasks))
    with _diverged_is_pruned():
        learn_and_evaluate(build_learner(experiment, tasks), tasks, [experiment.scenario], reporting)
    return reporting.average


class _Reporting(Observer):
    """Reports the average after each task, and gives a trial up that falls behind."""

    def __init__(self, trial: optuna.Trial, scenario: Scenario, tasks: int) -> None:
        self._trial, self._scenario, self._tasks = trial, scenario, tasks
        self.average = 0.0

    def evaluated(self, after: int, scores: Scores) -> None:
        import optuna

        self.average = sum(splits["test"].value[self._scenario] for splits in scores.values()) / len(scores)
        self._trial.report(self.average, after)
        if after + 1 < self._tasks and self._trial.should_prune():
            raise optuna.TrialPruned


@contextlib.contextmanager
def _diverged_is_pruned() -> Iterator[None]:
    import optuna

    try:
        yield
    except DivergenceError as error:
        raise optuna.TrialPruned(str(error)) from error


def _without_test(search: Search) -> list[Task]:
    """The tasks, with validation examples in the place of test examples."""
    experiment = search.experiment
    if not experiment.tasks.validation:
        tasks = experiment.tasks.model_copy(update={"validation": _VALIDATION})
        experiment = experiment.model_copy(update={"tasks": tasks})
    return [
        dataclasses.replace(task, test=task.validation, validation=None)
        for task in build_tasks(experiment, search.data)
    ]


def _with_settings(experiment: Experiment, settings: Mapping[str, float]) -> Experiment:
    values = sources.override(experiment.model_dump(mode="json"), settings)
    return checked(Experiment, values, f"{experiment.name} cannot be run.")


def _tuned(experiment: Experiment, best: Trial) -> Experiment:
    """The experiment with the settings of its best trial, under a name and a description of its own."""
    places = ", ".join(best.settings)
    reached = experiment.metric.show(best.average or 0.0)
    described = f"{experiment.name}, {places} tuned: {reached} on validation data"
    own = {"name": f"{experiment.name}-tuned", "description": described}
    return _with_settings(experiment, best.settings).model_copy(update=own)


def _trial(trial: optuna.trial.FrozenTrial) -> Trial:
    complete = trial.state.name == "COMPLETE"
    return Trial(trial.number, dict(trial.params), trial.value if complete else None, trial.state.name.lower())
