"""Base class of continual learners: how they learn one task after another, whatever their method."""

from __future__ import annotations

import dataclasses
import functools
from abc import abstractmethod
from inspect import isabstract
from typing import ClassVar, Literal

import torch

from hypermnesia import parallel
from hypermnesia.errors import ConfigurationError, DataError, StopLearning, shown
from hypermnesia.learners.admission import Admission
from hypermnesia.learners.chosen_tasks import number_of
from hypermnesia.learners.hub import OnHub
from hypermnesia.learners.in_progress import InProgress, Way
from hypermnesia.learners.prediction import LearnedTask
from hypermnesia.learners.scoring import score
from hypermnesia.learners.state import kinds_of
from hypermnesia.memory import show_bytes
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.identity import differences
from hypermnesia.tasks.structured_kind import kind_of
from hypermnesia.tasks.task import Source, Task
from hypermnesia.training.checkpoint import state_of_first
from hypermnesia.training.device import made_on_the_cpu
from hypermnesia.training.monitor import Monitor
from hypermnesia.training.objective import Objective
from hypermnesia.training.trainer import Trainer
from hypermnesia.training.turn import in_turn


class ContinualLearner(Admission, OnHub):
    """Base class of learners, which learn tasks one after another and answer for all of them.

    A subclass says what it is made of (`_make_parts`), what is optimized (`_objective`) and how inputs are answered
    (`_predict`). Its constructor takes the fields of its `Settings` as keyword arguments, or such settings.

    Args:
        module: Network that answers. It is copied, not changed.
        settings: Settings of the method, or their fields as a dict; None for the defaults.
        criterion: What is learned by: a name (`cross-entropy`, `binary-cross-entropy` where an input has several
            labels, `mean-squared-error`), an object of :mod:`hypermnesia.criteria`, a loss of `torch.nn`, or any
            function of outputs and targets that returns a loss. None for cross-entropy where labels are integers, and
            the mean squared error where they are floating-point numbers.
        metric: What answers are judged by: a name (`accuracy`, `error`, `loss`), a metric of torchmetrics, or a
            function of the outputs and targets of all examples, which returns a number for each or one for all. None
            for the one that goes with the criterion. More is better unless its `higher_is_better` is False.
        training: Optimizer, schedule, batches: settings, or their fields as a dict; None for the defaults.
        seed: Root of all randomness in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.

    Attributes:
        trained_for_scenario: Whether it is trained differently in each scenario; its constructor then takes `scenario`.
        relearns: Whether it can learn more of a task that was learned (:meth:`relearn`).
        forgets: Whether it can forget one task alone (:meth:`forget`).
    """

    trained_for_scenario: ClassVar[bool] = False
    relearns: bool = False
    forgets: bool = False

    def __repr__(self) -> str:
        amid = "" if self._current is None else f", learning {self._current.task.name!r}"
        kept = f", {show_bytes(self.answer_cache_bytes)} kept for answers" if self.answer_cache_bytes else ""
        return (
            f"{type(self).__name__}({self.num_tasks} tasks{amid}, {self.num_weights:,} weights,"
            f" {self.compression:.3g} for each weight of the module, on {self.device}{kept})"
        )

    def learn(
        self,
        source: Task | Source,
        *,
        if_known: Literal["new", "relearn", "refuse"] = "new",
        monitor: Monitor | None = None,
    ) -> None:
        """Learn one more task, and keep the old ones.

        If the learner was stopped on purpose amid a task, or restored from such a state, this goes on with it where it
        was: give the same task again. The same are the name, and number, shape, type and content of the examples; in
        which order a data loader draws them does not matter. Whatever else ends it, as an error in the data, the module
        or the monitor, leaves the learner exactly as it was before the task.

        Args:
            source: A task, a map-style dataset of (input, label) pairs, a data loader of such batches, or a pair of
                tensors, NumPy arrays or lists. Integer labels are classes and count from 0 within the task;
                floating-point labels are regression targets; unless the criterion says otherwise.
            if_known: What to do where a task of this name was learned already: learn a `new` one all the same, which
                has the same name and a number of its own; `relearn`, as :meth:`relearn` does; or `refuse` it.
            monitor: Called after every step. It ends the task, which then counts as learned, by returning True, and
                stops on purpose by raising :class:`hypermnesia.errors.StopLearning`.

        Raises:
            ConfigurationError: The task is to be refused, or `if_known` is none of these.
            DataError: The examples do not fit the module or the earlier tasks, or another task is in progress.
            DivergenceError: The loss is not finite.
        """
        task = Task.of(source)
        if if_known not in ("new", "relearn", "refuse"):
            raise ConfigurationError(f"if_known must be 'new', 'relearn' or 'refuse', not {shown(if_known)}")
        is_known = any(each.name == task.name and not each.forgotten for each in self._learned)
        if is_known and if_known == "refuse":
            raise ConfigurationError(
                f"a task '{task.name}' was learned already: give the new one another name, learn more of the old one"
                " (relearn), or let there be two of this name (if_known='new')"
            )
        if is_known and if_known == "relearn":
            self.relearn(task, monitor=monitor)
        else:
            self._learn(task, monitor, "learn", self.num_tasks)

    def relearn(self, source: Task | Source, task: int | str | None = None, *, monitor: Monitor | None = None) -> None:
        """Learn more of a task that was learned: from what was learned of it, and keep the others.

        It needs no old examples; but what these taught and the new ones do not may be lost. Stopped on purpose, it goes
        on with the same call; whatever else ends it undoes it.

        Args:
            source: Examples of the task, of any kind that :meth:`learn` takes.
            task: Number or name of the learned task; None for the one that has the name of `source`.
            monitor: Called after every step; as for :meth:`learn`.

        Raises:
            ConfigurationError: There is no such task, or the method has no place for this.
            DataError: The examples do not fit the task, or another task is in progress.
            DivergenceError: The loss is not finite.

        Example:
            >>> import hypermnesia as hm
            >>> learner = hm.HypernetworkLearner(torch.nn.Linear(2, 2), chunk_size=3, training={"iterations": 50})
            >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
            >>> learner.relearn((torch.eye(2), torch.tensor([0, 1])), task=0)
            >>> learner.num_tasks
            1
        """
        if not self.relearns:
            raise self._impossible("learn more of one task", "relearns")
        given = Task.of(source)
        number = number_of(given.name if task is None else task, self._learned)
        self._learn(given, monitor, "relearn", number)

    @in_turn
    def forget(self, task: int | str) -> None:
        """Forget a task: what belongs to it alone goes, as its embedding, its own parameters and its statistics.

        Others stay bit for bit, and so do their numbers; nothing keeps what shared weights know of it any longer. It
        cannot be asked for, and is never inferred. Its name may be given to a new task.

        Args:
            task: Number or name of the learned task.

        Raises:
            ConfigurationError: There is no such task, one is in progress, or the method cannot forget one task alone.

        Example:
            >>> import hypermnesia as hm
            >>> learner = hm.HypernetworkLearner(torch.nn.Linear(2, 2), chunk_size=3, training={"iterations": 5})
            >>> for _ in range(2):
            ...     learner.learn((torch.eye(2), torch.tensor([0, 1])))
            >>> learner.forget(0)
            >>> [each.forgotten for each in learner.tasks]
            [True, False]
        """
        if not self.forgets:
            raise self._impossible("forget one task", "forgets")
        if self._current is not None:
            raise ConfigurationError(
                f"task '{self._current.task.name}' is in progress: finish it, or abandon() it, before another is"
                " forgotten"
            )
        number = number_of(task, self._learned)
        with self._whole_or_not_at_all():
            self._parts.forget_task(number)
            gone = dataclasses.replace(self._learned[number], forgotten=True)
            self._learned = [*self._learned[:number], gone, *self._learned[number + 1 :]]

    @in_turn
    def abandon(self) -> None:
        """Undo the task in progress: the learner is then exactly as it was before it. Without one, nothing happens."""
        self._check_idle()
        self._undo()

    def _undo(self) -> None:
        if self._current is None:
            return
        self._trainer = self._trainer_state = self._current = None
        self._parts.abandon_task()
        if not self._learned:
            self._input_shape, self.input_kind, self._labels = None, None, None

    @made_on_the_cpu
    @torch.inference_mode(False)  # in which gradients are
    def _learn(self, task: Task, monitor: Monitor | None, way: Way, number: int) -> None:
        """Learn a task, or go on with it where it is in progress."""
        if monitor is not None and not callable(monitor):
            raise ConfigurationError(f"a monitor is a function that is called after every step, not {shown(monitor)}")
        with self._turn:
            self._check_idle()
            self._join(task, way, number)
            self._task = task
        try:
            with self._turn:
                if self._current is not None:
                    self._check_same(task, way, number)
                self._task = task = self._prepared(task)
                if self._current is None:
                    self._begin(task, way, number)
            self._finish(task, monitor)
        finally:
            self._task = self._trainer = None
            for examples in (task.train, task.validation):
                if examples is not None:
                    examples.close()

    def _join(self, task: Task, way: Way, number: int) -> None:
        """Let all ranks that learn together begin as the first one, and refuse what would not be learning together."""
        if parallel.size() == 1:
            return
        of_task = {f"{name} of the task": value for name, value in task.identity().items()}
        kind = (type(self).__name__, self.settings.model_dump(mode="json"), self._described(self._arguments()))
        parallel.check_same({"learner": kind, "number of learned tasks": number, "way to learn": way, **of_task})
        state = state_of_first(self.state_dict())
        if parallel.rank() > 0:
            self.load_state_dict(state)

    def _take_over_first(self) -> None:
        """Take over what the first rank has learned: some statistics that modules keep are of a rank's share alone."""
        if parallel.size() > 1:
            state = state_of_first(self._parts.state())
            if parallel.rank() > 0:
                self._parts.load_state(state)

    def _begin(self, task: Task, way: Way, number: int) -> None:
        outputs = self._checked(task)
        shape = self._input_shape or task.train.input_shape
        if way == "relearn":
            learned = self._learned[number]
            self._check_more_of(learned, task)
        else:
            learned = LearnedTask(task.name, outputs, task.classes)
        with self._whole_or_not_at_all():
            if way == "relearn":
                self._parts.reopen_task(number)
            else:
                self._parts.begin_task(outputs, shape)
                self._begun(way)
            self._input_shape, self._labels = shape, self._labels or (task.labels, tuple(task.label_shape))
            self.input_kind = self.input_kind or kind_of(task.train.input_type)
            self._current, self._trainer_state = InProgress(number, learned, way), None

    def _finish(self, task: Task, monitor: Monitor | None) -> None:
        """Take the remaining steps and keep what was learned; undo the task if anything fails."""
        assert self._current is not None
        try:
            with self._turn:
                self._trainer = self._make_trainer(task)
                self._trainer_state = None  # it has copies
            self._trainer.run(monitor)
            with self._turn:
                self._take_over_first()
            with self._turn, self._whole_or_not_at_all():
                self._parts.end_task(task)
                number = self._current.number
                self._learned = [*self._learned[:number], self._current.task, *self._learned[number + 1 :]]
                self._current = None
        except BaseException as error:
            with self._turn:
                if isinstance(error, Exception) and not isinstance(error, StopLearning):
                    self._undo()
                else:
                    self._stop()
            raise

    def _make_trainer(self, task: Task) -> Trainer:
        assert self._current is not None
        examples, validate = self._examples(task), functools.partial(self._validate, task)
        seeds = self.seeds.child(*self._current.place)
        trainer = Trainer(
            self._objective(),
            examples,
            self.training,
            seeds,
            self.device,
            validate,
            self.metric,
            self._turn,
            self.criterion,
        )
        if self._trainer_state is not None:
            trainer.load_state_dict(self._trainer_state)
        return trainer

    def _stop(self) -> None:
        """Keep what is needed to go on, and nothing of the data."""
        if self._current is None:  # stopped between the task's end and the call's
            return
        try:
            self._identity()
        except BaseException:
            self._undo()  # nobody could tell whether what is given next are the same examples
            raise
        if self._trainer is not None:
            self._trainer_state, self._trainer = self._trainer.state_dict(), None

    def _check_same(self, task: Task, way: Way, number: int) -> None:
        """Refuse to go on with another task than the one in progress, or in another way."""
        assert self._current is not None
        begun, iteration = self._current, self.in_progress
        remedy = f"go on with {begun.call} and the same examples, or abandon() that task to go back to before it"
        if begun.way != way or (way == "relearn" and begun.number != number):
            raise ConfigurationError(f"task '{begun.task.name}' is in progress, begun by {begun.call}: {remedy}")
        if different := differences(self._identity(), task.identity()):
            raise DataError(
                f"task '{begun.task.name}' is in progress, {iteration} iterations of it are done, and what was given"
                f" now has another {' and another '.join(different)}: {remedy}"
            )

    def _impossible(self, what: str, ability: Literal["relearns", "forgets"]) -> ConfigurationError:
        every = kinds_of(ContinualLearner, every=True)  # type: ignore[type-abstract]
        able = sorted(name for name, kind in every.items() if getattr(kind, ability) and not isabstract(kind))
        return ConfigurationError(
            f"a {type(self).__name__} cannot {what}: what it has learned of all tasks lies in the same weights. These"
            f" can: {', '.join(able)}"
        )

    def _begun(self, way: Way) -> None:
        """Called when the parts have begun a task."""

    @abstractmethod
    def _objective(self) -> Objective:
        """Objective of the task that was begun."""

    def _examples(self, task: Task) -> Examples:
        """Examples that are learned from."""
        return task.train

    def _validate(self, task: Task) -> float:
        """Metric on the validation examples of the task that is being learned."""
        assert task.validation is not None
        assert self._current is not None
        scenario = self.scenarios[0]
        return score(self, task.validation, self._current.number, (scenario,)).value[scenario]
