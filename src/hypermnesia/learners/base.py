"""Base classes of continual learners: what they can do whatever their method."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from hypermnesia.errors import (
    CheckpointError,
    ConfigurationError,
    DataError,
    DivergenceError,
    HypermnesiaError,
    did_you_mean,
)
from hypermnesia.files import FORMAT
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
from hypermnesia.learners.prediction import LearnedTask, Prediction
from hypermnesia.learners.scoring import score
from hypermnesia.modules import copy_of, evaluation_mode, put_to_rest, resting_parts
from hypermnesia.problems import CLASSIFICATION, PROBLEMS, REGRESSION, Problem
from hypermnesia.seeds import Seeds
from hypermnesia.settings import NoSettings, checked
from hypermnesia.settings import Settings as MethodSettings
from hypermnesia.tasks.arrays import as_inputs
from hypermnesia.tasks.examples import Examples
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
        needs_one_shape: Whether all inputs must have the same shape, because those of several tasks come together or
            are imitated. Others take every shape that the module takes.
        problem: Problem of its tasks; all must agree. Classification before the first one.
    """

    Settings: ClassVar[type[MethodSettings]] = NoSettings
    problems: ClassVar[tuple[Problem, ...]] = (CLASSIFICATION,)
    trained_for_scenario: ClassVar[bool] = False
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
        self._current: LearnedTask | None = None
        self._trainer: Trainer | None = None
        self._trainer_state: dict[str, Any] | None = None
        # While the learner is a rehearsal of another: the number of outputs of its tasks.
        self._rehearsed: int | None = None
        self._parts = Parts(**self._make_parts())

    def __repr__(self) -> str:
        amid = "" if self._current is None else f", learning {self._current.name!r}"
        return (
            f"{type(self).__name__}({self.num_tasks} tasks{amid}, {self.num_weights:,} weights,"
            f" {self.compression:.3g} for each weight of the module, on {self.device})"
        )

    @property
    def tasks(self) -> tuple[LearnedTask, ...]:
        """Tasks learned completely: their names and classes, in the order of learning."""
        return tuple(self._learned)

    @property
    def num_tasks(self) -> int:
        """Number of tasks learned completely."""
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
        """Iterations done of the task being learned; None between tasks."""
        if self._trainer is not None:
            return self._trainer.iteration
        return None if self._trainer_state is None else int(self._trainer_state["iteration"])

    @made_on_the_cpu
    def predict(self, inputs: Any, task: int | str | None = None) -> Prediction:
        """Answer for inputs.

        Args:
            inputs: Tensor, NumPy array or nested list as in training batches, `[inputs, ...]`.
            task: Number of the task that they belong to, in the order of learning, from 0; or its name. The task being
                learned counts too. None where nobody knows: it is inferred, for each input by itself.

        Raises:
            ConfigurationError: There is no such task, or the learner cannot do without it.
            DataError: The inputs have another shape than those learned from.
        """
        known = [*self._learned, *([self._current] if self._current else [])]
        if not known:
            raise ConfigurationError("there is nothing to predict yet: learn a task first")
        if task is None and self.scenarios == ("task",):
            raise ConfigurationError(
                "this learner answers only where the task is known (the task-incremental scenario): say which task the"
                " inputs belong to, as in predict(inputs, task=0)"
            )
        number = None if task is None else _number(task, known)
        inputs = as_inputs(inputs)
        shape = tuple(inputs.shape[1:])
        if shape == self._input_shape:
            answer = self._predict(inputs.to(self.device), number)
        else:
            answer = self._predict_other(inputs, number)
        return dataclasses.replace(answer, problem=self.problem, tasks=tuple(known))

    def _predict_other(self, inputs: Tensor, task: int | None) -> Prediction:
        """Answer for inputs of another shape than those learned from, such as longer sequences."""
        shape = tuple(inputs.shape[1:])
        wrong = f"inputs must have shape [n, {_text(self._input_shape)}] as in learning, not [n, {_text(shape)}]"
        if not self._may_have(shape):
            raise DataError(wrong)
        try:
            return self._predict(inputs.to(self.device), task)
        except HypermnesiaError:
            raise
        except Exception as error:  # whatever the module raises
            raise DataError(f"{wrong}; the module does not take these ({error})") from error

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
        number = _number(given.name if task is None else task, self._learned)
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
        self, source: Task | Dataset[Any] | DataLoader[Any] | tuple[Any, Any], *, monitor: Monitor | None = None
    ) -> None:
        """Learn one more task, and keep the old ones.

        If the learner was stopped, or restored, in the middle of a task, this goes on with it where it was: give the
        same task again.

        Args:
            source: A task, a map-style dataset of (input, label) pairs, a data loader of such batches, or a pair of
                tensors, NumPy arrays or lists. Integer labels are classes and count from 0 within the task;
                floating-point labels are regression targets.
            monitor: Called after every step.

        Raises:
            DataError: The examples do not fit the module or the earlier tasks.
            DivergenceError: The loss is not finite; the learner is then as it was before the task.
        """
        self._learn(Task.of(source), monitor)

    @made_on_the_cpu
    def _learn(self, task: Task, monitor: Monitor | None, begun: Callable[[], None] = lambda: None) -> None:
        """Learn a task, calling `begun` when it was begun, or go on with the one in progress."""
        if self.in_progress is None:
            outputs = self._checked(task)
            self.problem = task.problem
            self._current = LearnedTask(task.name, outputs, task.classes)
            self._input_shape = self._input_shape or tuple(task.train.input_shape)
            self._parts.begin_task(outputs, self._input_shape)
            begun()
        if self._trainer is None:
            seeds = self.seeds.child("task", self.num_tasks)
            examples, validate = self._examples(task), functools.partial(self._validate, task)
            self._trainer = Trainer(
                self._objective(), examples, self.training, seeds, self.device, validate, self.problem.metric
            )
            if self._trainer_state is not None:
                self._trainer.load_state_dict(self._trainer_state)
                self._trainer_state = None
        try:
            self._trainer.run(monitor)
        except DivergenceError:
            self._trainer = self._current = None
            self._parts.abandon_task()
            if self.num_tasks == 0:
                self._input_shape, self.problem = None, CLASSIFICATION
            raise
        self._trainer = None
        self._parts.end_task(task)
        assert self._current is not None
        self._learned.append(self._current)
        self._current = None

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
        scenario = self.scenarios[0]
        return score(self, task.validation, self.num_tasks, (scenario,)).value[scenario]

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
            "current": None if self._current is None else dataclasses.asdict(self._current),
        }

    @made_on_the_cpu
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state_dict` of a learner with the same settings returned.

        Raises:
            CheckpointError: The state belongs to a module of another architecture.
        """
        shape, current = state["input_shape"], state["current"]
        self._input_shape = None if shape is None else tuple(shape)
        self.problem = PROBLEMS[state["problem"]]
        self._learned = [LearnedTask.of_state(task) for task in state["learned"]]
        self._current = None if current is None else LearnedTask.of_state(current)
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
        learner = copy.copy(self)
        # Frozen parameters stay where they are, and are there only once.
        frozen = {id(parameter): parameter for parameter in self._module.parameters() if not parameter.requires_grad}
        learner._module = copy.deepcopy(self._module, frozen)
        learner._learned = []
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
                learner._learn(task, None)
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


def _kinds(cls: type[Learner], *, every: bool = False) -> dict[str, type[Learner]]:
    """Learners by name: the class itself or, of an abstract one and where `every` is wanted, all classes below it."""
    if not (every or getattr(cls, "__abstractmethods__", None)):
        return {cls.__name__: cls}
    kinds: dict[str, type[Learner]] = {}
    for below in cls.__subclasses__():
        kinds |= {below.__name__: below, **_kinds(below, every=True)}
    return kinds


def _number(task: int | str, known: Sequence[LearnedTask]) -> int:
    """Number of a task that may be given by its name."""
    names = [each.name for each in known]
    if isinstance(task, str):
        if names.count(task) == 1:
            return names.index(task)
        if task in names:
            raise ConfigurationError(f"{names.count(task)} tasks are called '{task}': say which by its number, from 0")
        raise ConfigurationError(
            f"there is no task '{task}'.{did_you_mean(task, names)} Learned: {', '.join(names) or 'none'}."
        )
    if not 0 <= task < len(known):
        raise ConfigurationError(f"there is no task {task}: {len(known)} tasks were learned, counted from 0")
    return task


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
