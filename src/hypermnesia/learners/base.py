"""What every continual learner can do, whatever its method."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from hypermnesia.errors import CheckpointError, ConfigurationError, DataError, DivergenceError
from hypermnesia.problems import CLASSIFICATION, PROBLEMS, REGRESSION, Problem
from hypermnesia.seeds import Seeds
from hypermnesia.settings import checked
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.checkpoint import read_state, write_state
from hypermnesia.training.device import resolve_device
from hypermnesia.training.monitor import Monitor
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective, Trainer

Learner = TypeVar("Learner", bound="ContinualLearner")


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A learner's answer.

    Attributes:
        outputs: Of the network of each input's task: logits of its classes, or numbers, `[inputs, outputs]`.
        task: The task each input was taken to belong to: the one given, or the one inferred, `[inputs]`; None where the
            learner answers without inferring one. Task and label together name a class among all classes.
        certainty: How sure the learner is of that task, from 0 to 1, `[inputs]`; 1 where it was given.
        problem: What was asked.

    Example:
        >>> Prediction(torch.tensor([[0.0, 2.0]]), None, None).labels
        tensor([1])
    """

    outputs: Float[Tensor, "inputs outputs"]
    task: Int64[Tensor, " inputs"] | None
    certainty: Float[Tensor, " inputs"] | None
    problem: Problem = CLASSIFICATION

    @property
    def labels(self) -> Int64[Tensor, " inputs"]:
        """The likeliest class of each input, counted within its task.

        Raises:
            ConfigurationError: Numbers were predicted.
        """
        return self._of(CLASSIFICATION).argmax(1)

    @property
    def probabilities(self) -> Float[Tensor, "inputs classes"]:
        """Of every class of the task.

        Raises:
            ConfigurationError: Numbers were predicted.
        """
        return self._of(CLASSIFICATION).softmax(1)

    @property
    def values(self) -> Float[Tensor, "inputs numbers"]:
        """The predicted numbers.

        Raises:
            ConfigurationError: Classes were predicted.
        """
        return self._of(REGRESSION)

    def _of(self, problem: Problem) -> Tensor:
        if self.problem is not problem:
            raise ConfigurationError(
                "classes were learned, not numbers: ask for prediction.labels or prediction.probabilities"
                if problem is REGRESSION
                else "numbers were learned, not classes: ask for prediction.values"
            )
        return self.outputs


class ContinualLearner(ABC):
    """Learns tasks one after another and answers for all of them.

    Args:
        module: The network that answers. It is copied, not changed.
        training: How each task is optimized: settings, or their fields as a dict; None for the defaults.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.

    Attributes:
        problems: What can be asked of it.
        problem: What it learns; every task must ask the same. Classification before the first one.
    """

    problems: ClassVar[tuple[Problem, ...]] = (CLASSIFICATION,)

    def __init__(
        self,
        module: nn.Module,
        *,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        self.training = checked(TrainingSettings, training or {})
        self.seeds = Seeds(seed)
        self.device = resolve_device(str(device))
        self._module = copy.deepcopy(module).to(self.device)
        self._input_shape: tuple[int, ...] | None = None
        self.problem: Problem = CLASSIFICATION
        self._trainer: Trainer | None = None
        self._trainer_state: dict[str, Any] | None = None

    @property
    @abstractmethod
    def num_tasks(self) -> int:
        """Tasks learned completely."""

    @property
    @abstractmethod
    def scenarios(self) -> tuple[Scenario, ...]:
        """In which scenarios it answers, as it is."""

    @property
    @abstractmethod
    def num_weights(self) -> int:
        """Numbers trained and kept, those of all tasks so far included."""

    @property
    def memory_bytes(self) -> int:
        """What is kept from one task to the next: the bytes of all tensors in the learner's state."""
        return _bytes(self._state())

    def recall(self, tasks: Sequence[Task]) -> None:  # noqa: B027 - most learners have no use for it
        """Give back the tasks it has learned to a learner that needs their data, after it was restored."""

    @property
    def compression(self) -> float:
        """Numbers trained and kept, per weight of the module."""
        return self.num_weights / sum(p.numel() for p in self._module.parameters() if p.requires_grad)

    def predict(self, inputs: Tensor, task: int | None = None) -> Prediction:
        """Answer for a batch of inputs.

        Args:
            inputs: As in training batches, `[inputs, ...]`.
            task: The number of the task that they belong to, in the order of learning, from 0; the task being learned
                counts too. None where nobody knows: it is inferred, for each input by itself.

        Raises:
            ConfigurationError: If there is no such task, or the learner cannot do without it.
            DataError: If the inputs have another shape than those learned from.
        """
        known = self.num_tasks + (self.in_progress is not None)
        if known == 0:
            raise ConfigurationError("there is nothing to predict yet: learn a task first")
        if task is not None and not 0 <= task < known:
            raise ConfigurationError(f"there is no task {task}: {known} tasks were learned, counted from 0")
        if task is None and self.scenarios == ("task",):
            raise ConfigurationError(
                "this learner answers only where the task is known (the task-incremental scenario): say which task the"
                " inputs belong to, as in predict(inputs, task=0)"
            )
        shape = tuple(inputs.shape[1:])
        if shape != self._input_shape:
            raise DataError(
                f"inputs must have shape [n, {_text(self._input_shape)}] as in learning, not [n, {_text(shape)}]"
            )
        return self._predict(inputs.to(self.device), task)

    def _given_task(self, outputs: Float[Tensor, "inputs outputs"], task: int) -> Prediction:
        """The answer where the task is known."""
        tasks = torch.full((len(outputs),), task, device=outputs.device)
        return Prediction(outputs, tasks, torch.ones(len(outputs), device=outputs.device), self.problem)

    def replay(self, task: int, number: int) -> Float[Tensor, "number *shape"] | None:
        """Inputs of a task as it is remembered, made of the same noise each time; None if the learner makes none."""
        return None

    @abstractmethod
    def _predict(self, inputs: Tensor, task: int | None) -> Prediction:
        """Answer for inputs that fit, on the learner's device."""

    @abstractmethod
    def _begin_task(self, task: Task) -> None:
        """Make room for the task; inputs of its shape have gone through the module."""

    def _examples(self, task: Task) -> Examples:
        """What is learned from."""
        return task.train

    @abstractmethod
    def _objective(self) -> Objective:
        """What to optimize for the task that was begun."""

    @abstractmethod
    def _end_task(self, task: Task) -> None:
        """Keep what was learned of the task."""

    @abstractmethod
    def _abandon_task(self) -> None:
        """Go back to before the task was begun."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """All that was learned, and what the task in progress needs."""

    @abstractmethod
    def _load_state(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`_state`."""

    @property
    def in_progress(self) -> int | None:
        """Iterations done of the task being learned; None between tasks."""
        if self._trainer is not None:
            return self._trainer.iteration
        return None if self._trainer_state is None else int(self._trainer_state["iteration"])

    def learn(
        self,
        source: Task | Dataset[Any] | DataLoader[Any] | tuple[Tensor, Tensor],
        *,
        monitor: Monitor | None = None,
    ) -> None:
        """Learn one more task, and keep the old ones.

        If the learner was stopped, or restored, in the middle of a task, this goes on with it where it was: give the
        same task again.

        Args:
            source: A task, a map-style dataset of (input, label) pairs, a data loader of such batches, or a pair of
                tensors. Integer labels are classes and count from 0 within the task; floating-point ones are numbers to
                be predicted.
            monitor: Called after every step.

        Raises:
            DataError: If the examples do not fit the module or the earlier tasks.
            DivergenceError: If the loss is not finite; the learner is then as it was before the task.
        """
        self._learn(Task.of(source), monitor, self._begin_task)

    def _learn(self, task: Task, monitor: Monitor | None, begin: Callable[[Task], None]) -> None:
        """Learn a task that is begun like that, or go on with the one in progress."""
        if self.in_progress is None:
            self._check(task)
            self.problem = task.problem
            begin(task)
            self._input_shape = tuple(task.train.input_shape)
        if self._trainer is None:
            seeds = self.seeds.child("task", self.num_tasks)
            self._trainer = Trainer(self._objective(), self._examples(task), self.training, seeds, self.device)
            if self._trainer_state is not None:
                self._trainer.load_state_dict(self._trainer_state)
                self._trainer_state = None
        try:
            self._trainer.run(monitor)
        except DivergenceError:
            self._trainer = None
            self._abandon_task()
            if self.num_tasks == 0:
                self._input_shape = None
            raise
        self._trainer = None
        self._end_task(task)

    def state_dict(self) -> dict[str, Any]:
        """All of the learner's state, also amid a task: nested dicts and lists of tensors and plain values."""
        trainer = self._trainer_state if self._trainer is None else self._trainer.state_dict()
        known = {"input_shape": self._input_shape, "problem": self.problem.name}
        return {"learner": self._state(), "trainer": trainer, **known}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state_dict` of a learner with the same settings gave."""
        shape = state["input_shape"]
        self._input_shape = None if shape is None else tuple(shape)
        self.problem = PROBLEMS[state["problem"]]
        self._load_state(state["learner"])
        # Copied: the learner it comes from may go on.
        self._trainer, self._trainer_state = None, copy.deepcopy(state["trainer"])

    def _check(self, task: Task) -> None:
        """Refuse a task that cannot be learned, before anything has changed."""
        self._check_problem(task)
        shape = tuple(task.train.input_shape)
        if self._input_shape not in (None, shape):
            raise DataError(
                f"inputs of task '{task.name}' have shape [{_text(shape)}], but those of the first task had"
                f" [{_text(self._input_shape)}]: bring all tasks to one shape"
            )
        inputs, _ = next(iter(task.train.in_order(2)))
        was_training = self._module.training
        self._module.eval()
        try:
            with torch.no_grad():
                outputs = self._module(inputs.to(self.device))
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"the module does not take inputs of shape [n, {_text(shape)}], as in task '{task.name}': {error}"
            ) from error
        finally:
            self._module.train(was_training)
        if outputs.ndim != 2:
            raise DataError(f"the module must give [n, outputs] numbers for n inputs, not {list(outputs.shape)}")
        self._check_outputs(task, outputs.shape[1])

    def _check_problem(self, task: Task) -> None:
        if task.problem not in self.problems:
            raise DataError(
                f"task '{task.name}' is one of {task.problem.name}, but a {type(self).__name__} learns"
                f" {' and '.join(problem.name for problem in self.problems)} only: integer labels are classes,"
                " floating-point ones numbers to be predicted"
            )
        if self._input_shape is not None and task.problem is not self.problem:
            raise DataError(
                f"task '{task.name}' is one of {task.problem.name}, but those before were of {self.problem.name}: one"
                " learner learns one of them"
            )

    def _check_outputs(self, task: Task, outputs: int) -> None:
        """Refuse a task that asks for more than the module's outputs, where these do not grow."""
        asked = task.num_outputs
        if task.problem is REGRESSION and asked != outputs:
            raise DataError(
                f"task '{task.name}' has {asked} numbers to be predicted from an input, but the module gives {outputs}:"
                " they must be equal (if the labels are classes, make them integers)"
            )
        if asked is not None and asked > outputs:
            raise DataError(
                f"task '{task.name}' has labels up to {asked - 1}, but the module has {outputs}"
                " outputs: labels must be 0 … outputs-1"
            )

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """The constructor's keyword arguments, as plain values."""

    def save(self, path: str | Path) -> None:
        """Write the learner, settings included, to one safetensors file; nothing in it is ever unpickled.

        Args:
            path: Where to; an existing file is replaced, at once and whole.
        """
        write_state(path, {"kind": type(self).__name__, "settings": self._settings(), "state": self.state_dict()})

    @classmethod
    def load(cls: type[Learner], path: str | Path, module: nn.Module, *, device: str | torch.device = "cpu") -> Learner:
        """A learner as it was saved.

        Args:
            path: The file.
            module: A network of the same architecture as the learner was made with; its weights do not matter.
            device: Where to continue; need not be where the learner was.

        Raises:
            CheckpointError: If the file is missing, damaged, of another kind of learner, or the module does not fit it.
        """
        saved = read_state(path)
        kind = saved.get("kind") if isinstance(saved, dict) else None
        if kind != cls.__name__:
            raise CheckpointError(f"{path} holds {kind or 'no learner'}, not a {cls.__name__}")
        learner = cls(module, **saved["settings"], device=device)
        learner.load_state_dict(saved["state"])
        return learner


def _bytes(node: Any) -> int:
    """Of all tensors nested in dicts and lists."""
    if isinstance(node, Tensor):
        return node.numel() * node.element_size()
    values = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return sum(map(_bytes, values))


def _text(shape: tuple[int, ...] | None) -> str:
    return ", ".join(map(str, shape or ()))
