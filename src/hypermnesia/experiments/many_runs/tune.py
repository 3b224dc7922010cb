"""Looking for a method's best settings on validation data; test data play no part."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel

from hypermnesia.errors import ConfigurationError, DivergenceError, Note, did_you_mean, notes_as_lines
from hypermnesia.evaluation.sequence import Observer, Scores, learn_and_evaluate
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.files import write_atomically
from hypermnesia.learners import METHODS
from hypermnesia.seeds import Seeds
from hypermnesia.settings import SearchRange, checked, has_effect
from hypermnesia.tasks import Scenario, Task

if TYPE_CHECKING:
    import optuna

_VALIDATION = 0.1
"""Share of the training examples to measure on, where the experiment sets none aside."""
_POLL_SECONDS = 0.5
STUDY, TUNED = "study.db", "tuned.yaml"
"""Files in the directory of a search."""


@dataclasses.dataclass(frozen=True)
class Search:
    """Search for settings, and the directory it is written to.

    Args:
        experiment: Its own settings are tried first.
        directory: Must exist; holds the study and the result.
        trials: How many to make, those of earlier calls included.
        data: Where the data lie; None looks at the usual places.
        only: Settings to look for; empty for all that the experiment's sections declare.

    Raises:
        ConfigurationError: There is nothing to look for, or no such setting among it.
    """

    experiment: Experiment
    directory: Path
    trials: int
    data: Path | None = None
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        declared = search_space(self.experiment)
        for place in self.only:
            if place not in declared:
                raise ConfigurationError(
                    f"only: '{place}' is not searched.{did_you_mean(place, declared)} SearchRange here:"
                    f" {', '.join(declared)}."
                )

    @property
    def space(self) -> dict[str, SearchRange]:
        """Search range of each setting."""
        return {p: s for p, s in search_space(self.experiment).items() if not self.only or p in self.only}


@dataclasses.dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Args:
        number: From 0.
        settings: By place, as `learner.beta`.
        average: Accuracy (or error) on validation data after the last task, averaged over tasks; None unless finished.
        state: How it ended: complete, pruned or fail; or running.
    """

    number: int
    settings: Mapping[str, float]
    average: float | None
    state: str


def search_space(experiment: Experiment) -> dict[str, SearchRange]:
    """Settings that can be tuned: every number of learner and training whose annotation has a search range.

    What the method fixes is not among them.

    Example:
        >>> from hypermnesia.experiments.settings.benchmark import load_experiment
        >>> list(search_space(load_experiment("split-digits")))
        ['learner.beta', 'training.learning_rate']
    """
    sections = {"learner": experiment.learner, "training": experiment.training}
    found = {place: where for name, section in sections.items() for place, where in _searched(section, name)}
    fixed = METHODS[experiment.learner.method].fixed
    return {place: where for place, where in found.items() if place.removeprefix("learner.") not in fixed}


def tune(search: Search, *, jobs: int = 1, told: Callable[[Trial], None] = lambda trial: None) -> list[Trial]:
    """Make the trials that are missing; the best settings are then in `tuned.yaml`, ready to run.

    Every trial is in the study as soon as it ended, so a search that is stopped or killed goes on with the same call.
    A trial that falls behind the median of the others is given up.

    Args:
        search: What to look for.
        jobs: Trials at a time, each in a process of its own if more than one.
        told: Called as each trial starts (it is `running` then), and as it ends.

    Returns:
        All trials, the best first.

    Raises:
        ConfigurationError: Optuna is not installed, or the directory holds the study of another experiment.
    """
    study = _study(search)
    _forget_running(study)
    tasks = _without_test(search)
    try:
        if jobs == 1:
            _work(search, tasks, 1, 0, told)
        else:
            context = multiprocessing.get_context("spawn")
            workers = [context.Process(target=_worker, args=(search, jobs, number)) for number in range(jobs)]
            for worker in workers:
                worker.start()
            _watch(search, study, workers, told)
    finally:
        # Also of a search that was stopped.
        sign = search.experiment.problem.metric.sign
        trials = sorted(
            map(_trial, study.get_trials()),
            key=lambda trial: (trial.average is None, -sign * (trial.average or 0.0), trial.number),
        )
        if trials and trials[0].average is not None:
            write_atomically(search.directory / TUNED, _tuned(search.experiment, trials[0]).to_yaml().encode())
    return trials


def _searched(section: BaseModel, place: str) -> Iterator[tuple[str, SearchRange]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _searched(value, f"{place}.{name}")
        elif isinstance(value, float | int) and has_effect(section, name):
            yield from ((f"{place}.{name}", found) for found in field.metadata if isinstance(found, SearchRange))


def _study(search: Search) -> optuna.Study:
    try:
        import optuna
    except ImportError as error:
        raise ConfigurationError(
            "tuning needs Optuna, which is not installed: pip install 'hypermnesia[tune]'"
        ) from error
    # It would tell of an interrupted trial with all of its stack.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=f"sqlite:///{search.directory / STUDY}",
        study_name="tune",
        direction="maximize" if search.experiment.problem.metric.more_is_better else "minimize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
    )
    searched = json.dumps([search.experiment.model_dump(mode="json"), sorted(search.space)], sort_keys=True)
    if study.user_attrs.setdefault("searched", searched) != searched:
        raise ConfigurationError(
            f"{search.directory} holds the search of another experiment: choose another directory (out), or remove it."
        )
    study.set_user_attr("searched", searched)
    own = {place: _value(search.experiment, place) for place in search.space}
    if all(search.space[place].low <= value <= search.space[place].high for place, value in own.items()):
        study.enqueue_trial(own, skip_if_exists=True)
    return study


def _forget_running(study: optuna.Study) -> None:
    """Trials that were under way when an earlier search was killed will not end any more."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _worker(search: Search, jobs: int, number: int) -> None:
    """One of several processes; Ctrl-C goes to all of them, and is told about by the first, as are notes."""
    with contextlib.suppress(KeyboardInterrupt), notes_as_lines():
        if number:
            warnings.simplefilter("ignore", Note)
        _work(search, _without_test(search), jobs, number)


def _watch(search: Search, study: optuna.Study, workers: Sequence[BaseProcess], told: Callable[[Trial], None]) -> None:
    """Tell of the trials that processes make, until all of these have ended."""
    known = {trial.number: trial.state for trial in study.get_trials()}
    while True:
        sentinels = [worker.sentinel for worker in workers if worker.is_alive()]
        for trial in study.get_trials():
            # Its settings come one by one.
            if len(trial.params) == len(search.space) and known.get(trial.number) != trial.state:
                known[trial.number] = trial.state
                told(_trial(trial))
        if not sentinels:
            return
        connection.wait(sentinels, _POLL_SECONDS)


def _work(
    search: Search, tasks: Sequence[Task], jobs: int, worker: int, told: Callable[[Trial], None] = lambda trial: None
) -> None:
    import optuna

    if threads := _threads(search.experiment.threads, jobs):
        torch.set_num_threads(threads)
    study = _study(search)
    counted = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    seeds = Seeds(search.experiment.seed).child("search", worker)
    while (number := len(study.get_trials(states=counted))) < search.trials:
        # A seed for each trial: one sampler for all would, in a search that goes on, suggest the same once more.
        seed = seeds.child(number).integer() % 2**32
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=5)
        study.optimize(
            functools.partial(_average, search, tasks, told),
            n_trials=1,
            callbacks=[lambda study, trial: told(_trial(trial))],
            catch=(),
        )


def _threads(wanted: int | None, jobs: int) -> int | None:
    """Threads of each of several processes; None leaves it to torch, as where the environment says how many."""
    if wanted or "OMP_NUM_THREADS" in os.environ:
        return wanted
    return max(1, (os.cpu_count() or 1) // jobs)


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
    reached = experiment.problem.metric.show(best.average or 0.0)
    described = f"{experiment.name}, {places} tuned: {reached} on validation data"
    own = {"name": f"{experiment.name}-tuned", "description": described}
    return _with_settings(experiment, best.settings).model_copy(update=own)


def _value(experiment: Experiment, place: str) -> float:
    value: Any = experiment
    for key in place.split("."):
        value = getattr(value, key)
    return float(value)


def _trial(trial: optuna.trial.FrozenTrial) -> Trial:
    complete = trial.state.name == "COMPLETE"
    return Trial(trial.number, dict(trial.params), trial.value if complete else None, trial.state.name.lower())
