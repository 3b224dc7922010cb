"""Learning a sequence of tasks, and measuring after each how well all of them are answered."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64
from rich.console import Console

from hypermnesia import parallel
from hypermnesia.errors import ConfigurationError, DataError, shown
from hypermnesia.evaluation.progress import ProgressDisplay, steps_of
from hypermnesia.learners import ContinualLearner, Score, score
from hypermnesia.tasks import Scenario, Task
from hypermnesia.training.monitor import Progress

Scores = Mapping[int, Mapping[str, Score]]
"""Scores by number of the task, then by split: `test` or `validation`."""


class Observer:
    """Base class of those who watch a sequence of tasks being learned; nothing that is computed depends on them.

    Any of the methods may raise :class:`hypermnesia.errors.StopLearning` to end it; called again with the learner and
    what was measured, it goes on. Tasks are counted from 0.
    """

    def learning(self, task: int, progress: Progress) -> None:
        """Called after every step; `progress.scalars` wait for the device, so look at them rarely."""

    def learned(self, task: int) -> None:
        """Called when a task is learned, before anything is asked."""

    def evaluating(self, after: int, task: int) -> None:
        """Called before `task` is asked, `after` being the newest one."""

    def evaluated(self, after: int, scores: Scores) -> None:
        """Called when all scores after a task are there."""


def learn_sequence(
    learner: ContinualLearner, tasks: Sequence[Task], *, scenario: Scenario | None = None, progress: bool = True
) -> Float64[np.ndarray, "tasks tasks"]:
    """Learn tasks one after another, and measure after each how well all so far are answered.

    Args:
        learner: Learner to teach. If it has learned the first of the tasks, or was stopped amid one, it goes on there;
            rows of the tasks before are NaN then. If it has learned all of them, the last row is measured.
        tasks: Tasks with test examples, in the order of learning.
        scenario: What is known and asked at test; None for the first scenario in which the learner answers.
        progress: Whether to show a progress bar, on a terminal or in a notebook.

    Returns:
        Test accuracies in [0, 1], or mean squared errors: row = after task i, column = on task j; NaN = not measured,
        or forgotten on purpose.
        `hypermnesia.evaluation` has the metrics that follow, as `forgetting`.

    Raises:
        ConfigurationError: The learner does not answer in the scenario, or has learned tasks of other names.
        DataError: A task has no test examples, or its examples do not fit.
        DivergenceError: The loss is not finite; the learner is then as it was before the task.

    Example:
        >>> import hypermnesia as hm, torch
        >>> tasks = hm.tasks.split("digits", num_tasks=2)
        >>> learner = hm.FineTuningLearner(hm.networks.mlp(64, [8], 2), training={"iterations": 5}, scenario="task")
        >>> learn_sequence(learner, tasks, progress=False).shape
        (2, 2)
    """
    if isinstance(tasks, Task) or not tasks:
        raise DataError(f"learn_sequence learns a list of tasks, at least one, not {'a Task' if tasks else 'none'}")
    for task in tasks:
        if not isinstance(task, Task):
            raise DataError(f"learn_sequence learns tasks (Task.of), not a {type(task).__name__}")
        if task.test is None:
            raise DataError(f"task '{task.name}' has no test examples to measure on: Task.of(source, test=...)")
    _check_learned(learner, tasks)
    scenario = scenario or learner.scenarios[0]
    console = Console()
    hidden = not progress or parallel.rank() > 0 or not (console.is_terminal or console.is_jupyter)
    names, steps = [task.name for task in tasks], steps_of(tasks, learner.training)
    display = ProgressDisplay(console, names, learner.metric_of(tasks[0]), steps, quiet=hidden)
    matrix = _Matrix(len(tasks), scenario, display)
    with display:
        learn_and_evaluate(learner, tasks, [scenario], matrix, first=min(learner.num_tasks, len(tasks) - 1))
    return matrix.values


def _check_learned(learner: ContinualLearner, tasks: Sequence[Task]) -> None:
    """Refuse a sequence that does not begin with what the learner has learned: other tasks would count as learned."""
    for number, (learned, task) in enumerate(zip(learner.tasks, tasks, strict=False)):
        if learned.name != task.name:
            raise ConfigurationError(
                f"learn_sequence goes on with a sequence from its first task on, but task {number} of the learner is"
                f" {shown(learned.name)}, and of the sequence {shown(task.name)}: put the learned tasks in front, or"
                " let further ones be learned by learner.learn"
            )


def learn_and_evaluate(
    learner: ContinualLearner,
    tasks: Sequence[Task],
    scenarios: Sequence[Scenario],
    observer: Observer,
    *,
    first: int = 0,
    only_newest: bool = False,
    at_end: Sequence[Scenario] = (),
) -> None:
    """Learn tasks one after another, and tell an observer how well they are answered; what `learn_sequence` is made of.

    Args:
        learner: Learner to teach.
        tasks: Tasks in the order of learning; splits that are None are not asked.
        scenarios: Scenarios in which it is asked.
        observer: Whom to tell.
        first: First task after which to evaluate; it is learned unless it has been.
        only_newest: Whether to ask about the newest task only, until the last: then about all.
        at_end: Scenarios in which it is asked after the last task; those of `scenarios` if there are none.
    """
    for after in range(first, len(tasks)):
        if learner.num_tasks == after:
            learner.learn(tasks[after], monitor=functools.partial(observer.learning, after))
        observer.learned(after)
        last = after == len(tasks) - 1
        known = [after] if only_newest and not last else range(after + 1)
        asked = [number for number in known if not learner.tasks[number].forgotten]
        scores: dict[int, dict[str, Score]] = {}
        # Of several ranks, each asks about some of the tasks.
        for number in asked[parallel.rank() :: parallel.size()]:
            observer.evaluating(after, number)
            splits = {"test": tasks[number].test, "validation": tasks[number].validation}
            scores[number] = {
                name: score(learner, examples, number, (last and at_end) or scenarios)
                for name, examples in splits.items()
                if examples is not None
            }
        found = {
            number: score for scores_of_rank in parallel.gathered(scores) for number, score in scores_of_rank.items()
        }
        observer.evaluated(after, {number: found[number] for number in asked})


class _Matrix(Observer):
    """Fills the accuracy matrix, and shows how far it is."""

    def __init__(self, tasks: int, scenario: Scenario, display: ProgressDisplay) -> None:
        self.values = np.full((tasks, tasks), np.nan)
        self._scenario, self._display = scenario, display

    def learning(self, task: int, progress: Progress) -> None:
        self._display.learning(task, progress)

    def evaluating(self, after: int, task: int) -> None:
        self._display.evaluating(after, task)

    def evaluated(self, after: int, scores: Scores) -> None:
        for task, splits in scores.items():
            self.values[after, task] = splits["test"].value[self._scenario]
        row = self.values[after, : after + 1]
        self._display.evaluated(after, [None if np.isnan(value) else float(value) for value in row])
