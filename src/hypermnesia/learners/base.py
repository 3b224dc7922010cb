"""Base classes of continual learners: what they can do whatever their method."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from inspect import isabstract
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hypermnesia.errors import (
    CheckpointError,
    ConfigurationError,
    DataError,
    DivergenceError,
    HypermnesiaError,
    StopLearning,
)
from hypermnesia.files import FORMAT
from hypermnesia.learners.chosen_tasks import TaskChoice, chosen_tasks, number_of
from hypermnesia.learners.first_check import (
    brief,
    check_in_training,
    check_last_batch,
    check_not_one_hot,
    check_numbers,
    check_one_shape,
    check_outputs,
    explained,
    few_examples,
    few_of,
)
from hypermnesia.learners.in_progress import InProgress, Way
from hypermnesia.learners.prediction import LearnedTask, Prediction
from hypermnesia.learners.scoring import score
from hypermnesia.modules import copy_of, evaluation_mode, put_to_rest, resting_parts
from hypermnesia.problems import CLASSIFICATION, PROBLEMS, REGRESSION, Problem
from hypermnesia.seeds import Seeds
from hypermnesia.settings import NoSettings, checked
from hypermnesia.settings import Settings as MethodSettings
from hypermnesia.tasks.arrays import as_inputs
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.identity import Identity, differences
from hypermnesia.tasks.scenario import SCENARIOS, Scenario
from hypermnesia.tasks.task import Source, Task
from hypermnesia.training.checkpoint import read_state, write_state
from hypermnesia.training.device import made_on_the_cpu, resolve_device
from hypermnesia.training.given import Given, without_given
from hypermnesia.training.part import Part, Parts
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Monitor, Objective, Trainer

Learner = TypeVar("Learner", bound="ContinualLearner")


class ContinualLearner(ABC):
    """Base class of learners, which learn tasks one after another and answer for all of them.

    A subclass says what it is made of (`parts`), what is optimized (`_objective`) and how inputs are answered
    (`_predict`). Its constructor takes the fields of its `Settings` as keyword arguments, or such settings.

    Args:
        module: Network that answers. It is copied, not changed.
        settings: Settings of the method, or their fields as a dict; None for the defaults.
        training: Optimizer, schedule, batches: settings, or their fields as a dict; None for the defaults.
        seed: Root of all randomness in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.

    Attributes:
        Settings: Class of the method's settings.
        problems: Problems that it can learn, classification or regression.
        trained_for_scenario: Whether it is trained differently in each scenario; its constructor then takes `scenario`.
        relearns: Whether it can learn more of a task that was learned (:meth:`relearn`).
        forgets: Whether it can forget one task alone (:meth:`forget`).
        needs_one_shape: Whether all inputs must have the same shape, because those of several tasks come together or
            are imitated. Others take every shape that the module takes.
        problem: Problem of its tasks; all must agree. Classification before the first one.
    """

    Settings: ClassVar[type[MethodSettings]] = NoSettings
    problems: ClassVar[tuple[Problem, ...]] = (CLASSIFICATION,)
    trained_for_scenario: ClassVar[bool] = False
    relearns: bool = False
    forgets: bool = False
    needs_one_shape: ClassVar[bool] = False

    @made_on_the_cpu
    def __init__(
        self,
        module: nn.Module,
        settings: MethodSettings | Mapping[str, Any] | None = None,
        *,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        self.settings = checked(self.Settings, settings)
        self.training = checked(TrainingSettings, training)
        self.seeds = Seeds(seed)
        self.device = resolve_device(str(device))
        self._module = copy_of(module, self.device)
        self._input_shape: tuple[int, ...] | None = None
        self.problem: Problem = CLASSIFICATION
        self._learned: list[LearnedTask] = []
        self._current: InProgress | None = None
        self._task: Task | None = None  # only while it is learned from
        self._trainer: Trainer | None = None
        self._trainer_state: dict[str, Any] | None = None
        # While the learner is a rehearsal of another: the number of outputs of its tasks.
        self._rehearsed: int | None = None
        self._parts = Parts(**self._make_parts())

    def __repr__(self) -> str:
        amid = "" if self._current is None else f", learning {self._current.task.name!r}"
        return (
            f"{type(self).__name__}({self.num_tasks} tasks{amid}, {self.num_weights:,} weights,"
            f" {self.compression:.3g} for each weight of the module, on {self.device})"
        )

    @property
    def tasks(self) -> tuple[LearnedTask, ...]:
        """Tasks learned completely: their names and classes, in the order of learning, forgotten ones included.

        The place of a task is its number.
        """
        return tuple(self._learned)

    @property
    def num_tasks(self) -> int:
        """Number of tasks learned completely, forgotten ones included; so the number that the next one gets."""
        return len(self._learned)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Scenarios in which it answers. Regression targets belong to no class, so there is no class scenario."""
        return SCENARIOS if self.problem is CLASSIFICATION else ("task", "domain")

    @property
    def num_weights(self) -> int:
        """Number of weights that are trained and kept, those of all tasks so far included."""
        return self._parts.num_weights

    @property
    def memory_bytes(self) -> int:
        """Bytes that are kept from one task to the next: of all tensors in its state but those that it was given.

        Given are the values of the module that it uses as they are: frozen and shared parameters, and those that
        generated weights are a difference from.
        """
        return _bytes(self._parts.state())

    @property
    def compression(self) -> float:
        """Number of weights that are trained and kept, per weight of the module."""
        trainable = sum(p.numel() for p in self._module.parameters() if p.requires_grad)
        return self.num_weights / trainable if trainable else math.inf

    @property
    def in_progress(self) -> int | None:
        """Iterations done of the task being learned; None between tasks.

        A task stays in progress where learning was stopped on purpose (:class:`hypermnesia.errors.StopLearning`,
        Ctrl-C): :meth:`learn` goes on with it, :meth:`abandon` undoes it.
        """
        if self._current is None:
            return None
        if self._trainer is not None:
            return self._trainer.iteration
        return 0 if self._trainer_state is None else int(self._trainer_state["iteration"])

    @made_on_the_cpu
    def predict(self, inputs: Any, task: TaskChoice = None) -> Prediction:
        """Answer for inputs.

        Args:
            inputs: Tensor, NumPy array or nested list as in training batches, `[inputs, ...]`.
            task: Number of the task that they belong to, in the order of learning, from 0; or its name. Or one for each
                input: a tensor, an array or a list of numbers or names. The task being learned counts too. None where
                nobody knows: it is inferred, for each input by itself.

        Raises:
            ConfigurationError: There is no such task, or the learner cannot do without it.
            DataError: The inputs have another shape than those learned from, or are more or fewer than the tasks.
        """
        known = self._known()
        if all(each.forgotten for each in known):
            raise ConfigurationError("there is nothing to predict yet: learn a task first")
        if task is None and self.scenarios == ("task",):
            raise ConfigurationError(
                "this learner answers only where the task is known (the task-incremental scenario): say which task the"
                " inputs belong to, as in predict(inputs, task=0)"
            )
        inputs = as_inputs(inputs)
        chosen = chosen_tasks(task, known, len(inputs) if inputs.ndim else 0)
        shape = tuple(inputs.shape[1:])
        if shape == self._input_shape:
            answer = self._answer_for(inputs.to(self.device), chosen)
        else:
            answer = self._predict_other(inputs, chosen)
        return dataclasses.replace(answer, problem=self.problem, tasks=tuple(known))

    def _answer_for(self, inputs: Tensor, task: int | list[int] | None) -> Prediction:
        return self._predict_each(inputs, task) if isinstance(task, list) else self._predict(inputs, task)

    def _predict_other(self, inputs: Tensor, task: int | list[int] | None) -> Prediction:
        """Answer for inputs of another shape than those learned from, such as longer sequences."""
        shape = tuple(inputs.shape[1:])
        wrong = f"inputs must have shape [n, {_text(self._input_shape)}] as in learning, not [n, {_text(shape)}]"
        if not self._may_have(shape):
            raise DataError(wrong)
        try:
            return self._answer_for(inputs.to(self.device), task)
        except HypermnesiaError:
            raise
        except Exception as error:  # whatever the module raises
            raise DataError(f"{wrong}; the module does not take these ({error})") from error

    def _predict_each(self, inputs: Tensor, tasks: list[int]) -> Prediction:
        """Answer for each input by its own task; outputs that its task does not have are impossible, or no number."""
        if not tasks:
            first = next(number for number, each in enumerate(self._known()) if not each.forgotten)
            return self._predict(inputs, first)
        numbers = torch.tensor(tasks, device=inputs.device)
        answers = []
        for number in sorted(set(tasks)):
            of_task = (numbers == number).nonzero()[:, 0]
            answers.append((of_task, self._predict(inputs[of_task], number).outputs))
        width = max(outputs.shape[1] for _, outputs in answers)
        filler = -torch.inf if self.problem is CLASSIFICATION else torch.nan
        together = answers[0][1].new_full((len(inputs), width), filler)
        for of_task, outputs in answers:
            together[of_task, : outputs.shape[1]] = outputs
        return Prediction(together, numbers, torch.ones(len(inputs), device=inputs.device))

    def _known(self) -> list[LearnedTask]:
        """Tasks that can be asked for, the one being learned included; the place of each is its number."""
        new = self._current is not None and self._current.number == len(self._learned)
        return [*self._learned, *([self._current.task] if self._current is not None and new else [])]

    def score(self, source: Task | Source, task: int | str | None = None, *, scenario: Scenario | None = None) -> float:
        """Average metric on a learned task: the fraction answered correctly, from 0 to 1, or the mean squared error.

        Args:
            source: Task whose test examples are asked, or examples, of any kind that :meth:`learn` takes.
            task: Number or name of the learned task; None for the one that has the name of `source`.
            scenario: What is known and asked; None for the first scenario in which the learner answers.

        Raises:
            ConfigurationError: There is no such task, or the learner does not answer in the scenario.
            DataError: The task has no test examples.

        Example:
            >>> import hypermnesia as hm
            >>> training = {"iterations": 100, "learning_rate": 0.1}
            >>> learner = hm.HypernetworkLearner(nn.Linear(2, 2), chunk_size=3, training=training)
            >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
            >>> learner.score((torch.eye(2), torch.tensor([0, 1])), task=0)
            1.0
        """
        given = Task.of(source)
        examples = given.test if isinstance(source, Task) else given.train
        if examples is None:
            raise DataError(
                f"task '{given.name}' has no test examples: give some, as in score((inputs, labels), task=0)"
            )
        number = number_of(given.name if task is None else task, self._learned)
        scenario = scenario or self.scenarios[0]
        return score(self, examples, number, (scenario,)).value[scenario]

    def replay(self, task: int, number: int) -> Float[Tensor, "number *shape"] | None:
        """Inputs of a task as it is remembered, made from the same noise each time; None if the learner replays none.

        Args:
            task: Number of a learned task.
            number: How many inputs.
        """
        return None

    def recall(self, tasks: Sequence[Task]) -> None:  # noqa: B027 - most learners have no use for it
        """Give back the tasks it has learned to a restored learner that needs their data."""

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
                floating-point labels are regression targets.
            if_known: What to do where a task of this name was learned already: learn a `new` one all the same, which
                has the same name and a number of its own; `relearn`, as :meth:`relearn` does; or `refuse` it.
            monitor: Called after every step. It stops on purpose by raising
                :class:`hypermnesia.errors.StopLearning`.

        Raises:
            ConfigurationError: The task is to be refused, or `if_known` is none of these.
            DataError: The examples do not fit the module or the earlier tasks, or another task is in progress.
            DivergenceError: The loss is not finite.
        """
        task = Task.of(source)
        if if_known not in ("new", "relearn", "refuse"):
            raise ConfigurationError(f"if_known must be 'new', 'relearn' or 'refuse', not {if_known!r}")
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
            monitor: Called after every step.

        Raises:
            ConfigurationError: There is no such task, or the method has no place for this.
            DataError: The examples do not fit the task, or another task is in progress.
            DivergenceError: The loss is not finite.

        Example:
            >>> import hypermnesia as hm
            >>> learner = hm.HypernetworkLearner(nn.Linear(2, 2), chunk_size=3, training={"iterations": 50})
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
            >>> learner = hm.HypernetworkLearner(nn.Linear(2, 2), chunk_size=3, training={"iterations": 5})
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
            self._input_shape, self.problem = None, CLASSIFICATION

    @made_on_the_cpu
    def _learn(self, task: Task, monitor: Monitor | None, way: Way, number: int) -> None:
        """Learn a task, or go on with it where it is in progress."""
        self._check_idle()
        self._task = task
        try:
            if self._current is None:
                self._begin(task, way, number)
            else:
                self._check_same(task, way, number)
            self._finish(task, monitor)
        finally:
            self._task = self._trainer = None

    def _begin(self, task: Task, way: Way, number: int) -> None:
        outputs = self._checked(task)
        shape = self._input_shape or tuple(task.train.input_shape)
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
            self.problem, self._input_shape = task.problem, shape
            self._current, self._trainer_state = InProgress(number, learned, way), None

    def _finish(self, task: Task, monitor: Monitor | None) -> None:
        """Take the remaining steps and keep what was learned; undo the task if anything fails."""
        assert self._current is not None
        try:
            self._trainer = self._make_trainer(task)
            self._trainer_state = None  # it has copies
            self._trainer.run(monitor)
            with self._whole_or_not_at_all():
                self._parts.end_task(task)
                number = self._current.number
                self._learned = [*self._learned[:number], self._current.task, *self._learned[number + 1 :]]
                self._current = None
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, StopLearning):
                self._undo()
            else:
                self._stop()
            raise

    def _make_trainer(self, task: Task) -> Trainer:
        assert self._current is not None
        examples, validate = self._examples(task), functools.partial(self._validate, task)
        seeds = self.seeds.child(*self._current.place)
        trainer = Trainer(self._objective(), examples, self.training, seeds, self.device, validate, self.problem.metric)
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

    def _identity(self) -> Identity:
        """What tells the task in progress from others; its data are read once for it, the first time it is stopped."""
        assert self._current is not None
        if self._current.identity is None:
            assert self._task is not None
            self._current.identity = self._task.identity()
        return self._current.identity

    @contextlib.contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        """Undo what is done here if it fails; for changes that put new tensors in the place of old ones."""
        parts = _same_tensors(self._parts.state())
        fields = self.problem, self._input_shape, self._learned, self._current
        try:
            yield
        except BaseException:
            self._parts.load_state(parts)
            self.problem, self._input_shape, self._learned, self._current = fields
            raise

    def _check_idle(self) -> None:
        """Refuse what would change the learner while it learns."""
        if self._task is not None:
            raise ConfigurationError(
                f"task '{self._task.name}' is being learned at this moment: let learn end first; a monitor ends it by"
                " raising hypermnesia.errors.StopLearning"
            )

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

    def _check_more_of(self, learned: LearnedTask, task: Task) -> None:
        """Refuse examples that cannot be more of a learned task."""
        outputs = task.count_outputs()
        wrong = outputs != learned.outputs if task.problem is REGRESSION else outputs > learned.outputs
        if wrong or task.classes not in (None, learned.classes):
            what = "regression targets" if task.problem is REGRESSION else "classes"
            names = "" if learned.classes is None else f" ({', '.join(learned.classes)})"
            raise DataError(
                f"these are no examples of task '{learned.name}', which has {learned.outputs} {what}{names}: they have"
                f" {outputs}, or others; more classes make a new task"
            )

    def _impossible(self, what: str, ability: Literal["relearns", "forgets"]) -> ConfigurationError:
        every = _kinds(ContinualLearner, every=True)  # type: ignore[type-abstract]
        able = sorted(name for name, kind in every.items() if getattr(kind, ability) and not isabstract(kind))
        return ConfigurationError(
            f"a {type(self).__name__} cannot {what}: what it has learned of all tasks lies in the same weights. These"
            f" can: {', '.join(able)}"
        )

    def _begun(self, way: Way) -> None:  # noqa: B027 - most learn in one way only
        """Called when the parts have begun a task."""

    @abstractmethod
    def _make_parts(self) -> dict[str, Part]:
        """Parts of the learner by name, without any task; called once, when it is made."""

    @abstractmethod
    def _objective(self) -> Objective:
        """Objective of the task that was begun."""

    @abstractmethod
    def _predict(self, inputs: Tensor, task: int | None) -> Prediction:
        """Answer for inputs that fit, on the learner's device."""

    def _examples(self, task: Task) -> Examples:
        """Examples that are learned from."""
        return task.train

    def _validate(self, task: Task) -> float:
        """Metric on the validation examples of the task that is being learned."""
        assert task.validation is not None
        assert self._current is not None
        scenario = self.scenarios[0]
        return score(self, task.validation, self._current.number, (scenario,)).value[scenario]

    def _given_task(self, outputs: Float[Tensor, "inputs outputs"], task: int) -> Prediction:
        """Answer where the task is known."""
        tasks = torch.full((len(outputs),), task, device=outputs.device)
        return Prediction(outputs, tasks, torch.ones(len(outputs), device=outputs.device))

    def state_dict(self) -> dict[str, Any]:
        """State of the learner, also in the middle of a task: nested dicts and lists of tensors and JSON values."""
        return {
            "parts": self._parts.state(),
            "trainer": self._trainer_state if self._trainer is None else self._trainer.state_dict(),
            "input_shape": self._input_shape,
            "problem": self.problem.name,
            "learned": [dataclasses.asdict(task) for task in self._learned],
            "current": None if self._current is None else {**self._current.state(), "identity": self._identity()},
        }

    @made_on_the_cpu
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state_dict` of a learner with the same settings returned.

        Raises:
            CheckpointError: The state belongs to a module of another architecture.
        """
        self._check_idle()
        shape, current = state["input_shape"], state["current"]
        self._input_shape = None if shape is None else tuple(shape)
        self.problem = PROBLEMS[state["problem"]]
        self._learned = [LearnedTask.of_state(task) for task in state["learned"]]
        self._current = None if current is None else InProgress.of_state(current)
        self._parts.load_state(state["parts"])
        # Copied: the learner it comes from may go on.
        self._trainer, self._trainer_state = None, copy.deepcopy(state["trainer"])

    def save(self, path: str | Path, *, module: bool = True) -> None:
        """Write the learner, settings included, to one safetensors file; nothing in it is ever unpickled.

        Args:
            path: File to write; an existing one is replaced, at once and whole.
            module: Whether to write those values of the module too that the learner uses as they are: frozen and shared
                parameters, and those that generated weights are a difference from. Without them the file is small where
                they are many, and :meth:`load` needs a module with the same values, which it checks.

        Raises:
            CheckpointError: The file cannot be written, for instance because there is no such folder; what was there
                before remains.
        """
        settings = self.settings.model_dump(mode="json")
        state = self.state_dict() if module else without_given(self.state_dict())
        content = {"settings": settings, "arguments": self._arguments(), "state": state}
        content["resting"] = resting_parts(self._module)
        try:
            write_state(path, {"format": FORMAT, "kind": type(self).__name__, **content})
        except OSError as error:
            folder = Path(path).absolute().parent
            advice = "" if folder.is_dir() else f"; there is no folder {folder}: make it first"
            raise CheckpointError(f"{path} cannot be written: {error.strerror or error}{advice}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies, and what comes out of a pickle, are made anew and take over the state: parts refer to each other."""
        made_of = (type(self), self._module, self.settings, self._arguments(), str(self.device))
        return _made_anew, (*made_of, self.state_dict(), self._tasks_at_hand())

    def _tasks_at_hand(self) -> tuple[Task, ...]:
        """Learned tasks whose data it holds, which no state does; what :meth:`recall` gives back."""
        return ()

    @classmethod
    def load(cls: type[Learner], path: str | Path, module: nn.Module, *, device: str | torch.device = "cpu") -> Learner:
        """Read a learner that :meth:`save` wrote.

        Args:
            path: The file.
            module: A network of the same architecture as the learner was made with. Its values do not matter: those in
                the file are used, unless it was saved without them.
            device: Where to continue; need not be where the learner was.

        Raises:
            CheckpointError: The file is missing, damaged, of another kind of learner, or the module does not fit it.
        """
        saved = read_state(path)
        saved = saved if isinstance(saved, dict) and "kind" in saved else {"kind": "no learner", "format": FORMAT}
        if saved.get("format") != FORMAT:
            raise CheckpointError(
                f"{path} was written by another version of hypermnesia, in a format that this one does not read: load"
                " it with that version, or learn anew"
            )
        found: type[Learner] | None = _kinds(cls).get(saved["kind"])
        if found is None:
            raise CheckpointError(f"{path} holds {saved['kind']}, not a {cls.__name__}")
        module = copy_of(module, resolve_device(str(device)))
        put_to_rest(module, [name for name, _ in module.named_modules() if name in saved.get("resting", ())])
        learner = found(module, saved["settings"], **saved["arguments"], device=device)
        learner.load_state_dict(saved["state"])
        return learner

    def _arguments(self) -> dict[str, Any]:
        """Keyword arguments of the constructor that are no fields of the settings, as JSON values."""
        return {"training": self.training.model_dump(mode="json"), "seed": self.seeds.root}

    def _checked(self, task: Task) -> int:
        """Number of outputs of a task that can be learned; others are refused, before anything has changed."""
        if self._rehearsed is not None:
            return self._rehearsed
        outputs = self._check(task)
        if self.num_tasks == 0:
            with self._random_state_kept(), explained(task):
                self._rehearse(few_of(task, few_examples(task)), outputs)
        return outputs

    def _random_state_kept(self) -> AbstractContextManager[None]:
        """Context after which torch's generators are as before: of the CPU and of the learner's device."""
        return torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else [])

    def _rehearse(self, task: Task, outputs: int) -> None:
        """Let a learner that has learned nothing do all that this one will, as often as twice, with few examples.

        What the method needs at the end of a task, or from the second task on, so fails before the first step.
        """
        learner = object.__new__(type(self))  # with the same fields; the next lines replace those that learning changes
        vars(learner).update(vars(self))
        # Frozen parameters stay where they are, and are there only once.
        frozen = {id(parameter): parameter for parameter in self._module.parameters() if not parameter.requires_grad}
        learner._module = copy.deepcopy(self._module, frozen)
        learner._learned = []
        learner._task = learner._current = learner._trainer_state = None
        learner._rehearsed = outputs
        size = min(len(task.train), self.training.batch_size)
        changed = {"iterations": 1, "epochs": None, "batch_size": size, "compile": False, "plateau": None}
        learner.training = self.training.model_copy(update=changed)
        learner.settings = brief(self.settings)
        learner._parts = Parts(**learner._make_parts())
        inputs, _ = few_examples(task)
        learner._check_module(inputs.to(self.device))
        try:
            for number in range(2):
                learner._learn(task, None, "learn", number)
                learner.predict(inputs, number)
        except DivergenceError:
            return  # two examples say little about that

    def _check(self, task: Task) -> int:
        """Refuse a task that cannot be learned, before anything has changed; returns its number of outputs."""
        self._check_problem(task)
        self._check_training(task)
        shape = tuple(task.train.input_shape)
        if self._input_shape is not None and shape != self._input_shape and not self._may_have(shape):
            raise self._other_shape(task)
        batch = few_examples(task)
        inputs = batch[0].to(self.device)
        try:
            with torch.no_grad(), evaluation_mode(self._module):
                answer = self._module(inputs)
        except Exception as error:  # whatever the module raises
            if self._input_shape not in (None, shape):
                raise self._other_shape(task) from error
            raise DataError(
                f"the module does not take inputs of shape [n, {_text(shape)}], as in task '{task.name}': {error}"
            ) from error
        outputs = check_outputs(answer, len(inputs))
        check_numbers(task, self._module, self.device)
        check_not_one_hot(task)
        if self.needs_one_shape:
            check_one_shape(task)
        if self.num_tasks == 0:
            with self._random_state_kept(), explained(task):
                check_in_training(self._module, inputs[: self.training.batch_size])
                self._check_batches(task, inputs[:1])
                self._check_module(inputs)
        return self._count_outputs(task, outputs.shape[1])

    def _may_have(self, shape: tuple[int, ...]) -> bool:
        """Whether inputs may have another shape than the first ones, if the module takes them."""
        return not self.needs_one_shape and self._input_shape is not None and len(shape) == len(self._input_shape)

    def _other_shape(self, task: Task) -> DataError:
        return DataError(
            f"inputs of task '{task.name}' have shape [{_text(tuple(task.train.input_shape))}], but those of the first"
            f" task had [{_text(self._input_shape)}]: bring all tasks to one shape"
        )

    def _check_batches(self, task: Task, example: Tensor) -> None:
        """Refuse batches with which the module cannot be trained."""
        check_last_batch(task, self._module, example)

    def _check_module(self, inputs: Tensor) -> None:  # noqa: B027 - some ask nothing more
        """Refuse a module that the method cannot use, by inputs that it takes; before the first task."""

    def _check_problem(self, task: Task) -> None:
        if task.problem not in self.problems:
            raise DataError(
                f"task '{task.name}' is one of {task.problem.name}, but a {type(self).__name__} learns"
                f" {' and '.join(problem.name for problem in self.problems)} only: integer labels are classes,"
                " floating-point labels are regression targets"
            )
        if self._input_shape is not None and task.problem is not self.problem:
            raise DataError(
                f"task '{task.name}' is one of {task.problem.name}, but those before were of {self.problem.name}: one"
                " learner learns one of them"
            )

    def _check_training(self, task: Task) -> None:
        """Refuse a task for which some settings of training have no meaning."""
        if self.training.plateau is not None and task.validation is None:
            raise ConfigurationError(
                f"training.plateau looks at validation examples, but task '{task.name}' has none: set some aside"
                " (validation=500 of hypermnesia.tasks.split, tasks.validation=500 of an experiment), or leave it out"
            )
        if self.training.label_smoothing and task.problem is REGRESSION:
            raise ConfigurationError(
                f"training.label_smoothing is for classes, but task '{task.name}' is a regression: leave it out"
            )
        if self.training.augmentation is not None and len(task.train.input_shape) != 3:
            raise ConfigurationError(
                "training.augmentation is for images, inputs of shape [channels, height, width]; those of task"
                f" '{task.name}' have [{_text(tuple(task.train.input_shape))}]: leave it out"
            )

    def _count_outputs(self, task: Task, outputs: int) -> int:
        """Number of the task's classes or regression targets; refuses a task with more than the module's outputs."""
        asked = task.num_outputs
        if task.problem is REGRESSION and asked != outputs:
            raise DataError(
                f"task '{task.name}' has {asked} regression targets for each input, but the module gives {outputs}:"
                " they must be equal (if the labels are classes, make them integers)"
            )
        if asked is not None and asked > outputs:
            raise DataError(
                f"task '{task.name}' has labels up to {asked - 1}, but the module has {outputs}"
                " outputs: labels must be 0 … outputs-1"
            )
        return asked or outputs


def _made_anew(
    kind: type[Learner],
    module: nn.Module,
    settings: MethodSettings,
    arguments: dict[str, Any],
    device: str,
    state: dict[str, Any],
    tasks: tuple[Task, ...],
) -> Learner:
    learner = kind(module, settings, **arguments, device=device)
    learner.load_state_dict(state)
    learner.recall(tasks)
    return learner


def _kinds(cls: type[Learner], *, every: bool = False) -> dict[str, type[Learner]]:
    """Learners by name: the class itself or, of an abstract one and where `every` is wanted, all classes below it."""
    if not (every or getattr(cls, "__abstractmethods__", None)):
        return {cls.__name__: cls}
    kinds: dict[str, type[Learner]] = {}
    for below in cls.__subclasses__():
        kinds |= {below.__name__: below, **_kinds(below, every=True)}
    return kinds


def _same_tensors(state: Any) -> Any:
    """A state whose dicts and lists are copies, and whose tensors are the same."""
    if isinstance(state, Given):
        return state
    if isinstance(state, dict):
        return {key: _same_tensors(value) for key, value in state.items()}
    return [_same_tensors(value) for value in state] if isinstance(state, (list, tuple)) else state


def _bytes(node: Any) -> int:
    """Bytes of all tensors nested in dicts and lists but those that were given."""
    if isinstance(node, Given):
        return 0
    if isinstance(node, Tensor):
        return node.numel() * node.element_size()
    values = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return sum(map(_bytes, values))


def _text(shape: tuple[int, ...] | None) -> str:
    return ", ".join(map(str, shape or ()))
