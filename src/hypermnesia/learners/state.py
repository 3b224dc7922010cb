"""What a learner is made of and keeps: its parts, its tasks, its state."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from hypermnesia.arguments import whole_number
from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.errors import CheckpointError, ConfigurationError, HypermnesiaError, shown
from hypermnesia.inputs import Shape
from hypermnesia.learners.in_progress import InProgress
from hypermnesia.learners.learned_by import LearnedBy, labels_of_state
from hypermnesia.learners.prediction import LearnedTask
from hypermnesia.learners.saved_numbers import check_numbers
from hypermnesia.memory import checked_allocations
from hypermnesia.module_copies import copy_of
from hypermnesia.seeds import Seeds
from hypermnesia.settings import NoSettings, checked
from hypermnesia.settings import Settings as MethodSettings
from hypermnesia.tasks.identity import Identity
from hypermnesia.tasks.structured_kind import Kind, kind_named, kind_of
from hypermnesia.tasks.task import Task
from hypermnesia.training.checkpoint import check_alike
from hypermnesia.training.device import made_on_the_cpu, resolve_device
from hypermnesia.training.given import Given
from hypermnesia.training.part import Part, Parts
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Trainer
from hypermnesia.training.turn import Turn, in_turn

Learner = TypeVar("Learner", bound="LearnerState")
_MADE_WITH = ("settings", "scenario", "criterion", "metric", "seeds", "seed", "device")


class LearnerState(LearnedBy, ABC):
    """Base class of learners: what one consists of, which is complete at every boundary of a step.

    Attributes:
        training: Settings of training. Others take effect from the next task on; what refers to the learner's inside,
            as to `learner.hypernetwork`, must be asked for again then.
        Settings: Class of the method's settings.
        input_kind: Kind of the inputs of its first task, as which all others are prepared; None before it.
    """

    Settings: ClassVar[type[MethodSettings]] = NoSettings

    @made_on_the_cpu
    @torch.inference_mode(False)
    def __init__(
        self,
        module: nn.Module,
        settings: MethodSettings | Mapping[str, Any] | None = None,
        *,
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        self._learn_by(criterion, metric)
        self.settings = checked(self.Settings, settings)
        self.training = checked(TrainingSettings, training)
        self.seeds = Seeds(seed)
        self.device = resolve_device(str(device))
        self._module = copy_of(module, self.device)
        self._input_shape: Shape | None = None
        self.input_kind: Kind | None = None
        self._learned: list[LearnedTask] = []
        self._current: InProgress | None = None
        self._task: Task | None = None  # only while it is learned from
        self._trainer: Trainer | None = None
        self._turn = Turn()
        self._check_criterion()
        self._trainer_state: dict[str, Any] | None = None
        with checked_allocations():
            self._parts = Parts(**self._make_parts())

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. Of what a learner was made with, `training` alone can be replaced, between tasks."""
        if "_parts" not in vars(self):  # it is being made
            super().__setattr__(name, value)
        elif name == "training":
            self._train_by(value)
        elif name in TrainingSettings.model_fields.keys() - type(self).Settings.model_fields.keys():
            raise ConfigurationError(
                f"{name} is a setting of training: set it by"
                f" learner.training = learner.training.model_copy(update={{{name!r}: {value!r}}})"
            )
        elif name in type(self).Settings.model_fields or name in _MADE_WITH:
            raise ConfigurationError(
                f"{name} is what this learner and its networks were made with, and cannot be changed: make another"
                " learner; learner.training may be replaced"
            )
        else:
            super().__setattr__(name, value)

    @made_on_the_cpu
    @torch.inference_mode(False)
    @in_turn
    def _train_by(self, training: TrainingSettings | Mapping[str, Any]) -> None:
        """Take other settings of training from the next task on; parts, which are made with them, are made anew."""
        self._check_idle()
        if self._current is not None:
            raise ConfigurationError(
                f"task '{self._current.task.name}' is in progress, begun with other settings of training: finish it, or"
                " abandon() it, before they are replaced"
            )
        before = dict(vars(self))
        parts, tasks = self._parts.state(), self._tasks_at_hand()
        try:
            super().__setattr__("training", checked(TrainingSettings, training))
            self._parts = Parts(**self._make_parts())
            self._parts.load_state(parts)
            self.recall(tasks)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

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

    @in_turn
    def state_dict(self) -> dict[str, Any]:
        """State of the learner, also in the middle of a task: nested dicts and lists of tensors and JSON values."""
        return {
            "parts": self._parts.state(),
            "trainer": self._trainer_state if self._trainer is None else self._trainer.state_dict(),
            "input_shape": self._input_shape,
            "input_type": None if self.input_kind is None else self.input_kind.name,
            "labels": None if self._labels is None else {"kind": self._labels[0], "shape": self._labels[1]},
            "learned": [dataclasses.asdict(task) for task in self._learned],
            "current": None if self._current is None else {**self._current.state(), "identity": self._identity()},
        }

    @made_on_the_cpu
    @torch.inference_mode(False)
    @in_turn
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state_dict` of a learner with the same settings returned.

        Raises:
            CheckpointError: The state belongs to a module of another architecture, or is none.
        """
        self._check_idle()
        try:
            self._take_over(state)
            check_alike(self.state_dict(), state)
        except HypermnesiaError:
            raise
        except Exception as error:  # whatever may stand in a state that somebody has changed
            raise CheckpointError(
                f"this is no state of a {type(self).__name__} of this version ({type(error).__name__}:"
                f" {shown(str(error))})"
            ) from error

    def _take_over(self, state: dict[str, Any]) -> None:
        check_numbers(state)
        shape, current = state["input_shape"], state["current"]
        self._input_shape = None if shape is None else _checked_shape(shape)
        self.input_kind = None if state["input_type"] is None else kind_named(state["input_type"])
        self._labels = None if state["labels"] is None else labels_of_state(state["labels"])
        self._learned = [LearnedTask.of_state(task) for task in state["learned"]]
        self._current = None if current is None else InProgress.of_state(current)
        self._parts.load_state(state["parts"])
        # Copied: the learner it comes from may go on.
        self._trainer, self._trainer_state = None, copy.deepcopy(state["trainer"])

    def _tasks_at_hand(self) -> tuple[Task, ...]:
        """Learned tasks whose data it holds, which no state does; what :meth:`recall` gives back."""
        return ()

    def _arguments(self) -> dict[str, Any]:
        """Keyword arguments of the constructor that are no fields of the settings."""
        by = {"criterion": self._given_criterion, "metric": self._given_metric}
        return {**by, "training": self.training.model_dump(mode="json"), "seed": self.seeds.root}

    def recall(self, tasks: Sequence[Task]) -> None:
        """Give back the tasks it has learned to a restored learner that needs their data."""

    def _prepared(self, task: Task) -> Task:
        """A task whose inputs go in as those of the first one."""
        return task.prepared(self.input_kind or kind_of(task.train.input_type))

    @abstractmethod
    def _make_parts(self) -> dict[str, Part]:
        """Parts of the learner by name, without any task; called when it is made, and when `training` is replaced."""

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
        parts = same_tensors(self._parts.state())
        fields = self._labels, self._input_shape, self.input_kind, self._learned, self._current
        try:
            yield
        except BaseException:
            self._parts.load_state(parts)
            self._labels, self._input_shape, self.input_kind, self._learned, self._current = fields
            raise

    def _check_idle(self) -> None:
        """Refuse what would change the learner while it learns."""
        if self._task is not None:
            raise ConfigurationError(
                f"task '{self._task.name}' is being learned at this moment: let learn end first; a monitor ends it by"
                " raising hypermnesia.errors.StopLearning"
            )


def kinds_of(cls: type[Learner], *, every: bool = False) -> dict[str, type[Learner]]:
    """Learners by name: the class itself or, of an abstract one and where `every` is wanted, all classes below it."""
    if not (every or getattr(cls, "__abstractmethods__", None)):
        return {cls.__name__: cls}
    kinds: dict[str, type[Learner]] = {}
    for below in cls.__subclasses__():
        kinds |= {below.__name__: below, **kinds_of(below, every=True)}
    return kinds


def same_tensors(state: Any) -> Any:
    """A state whose dicts and lists are copies, and whose tensors are the same."""
    if isinstance(state, Given):
        return state
    if isinstance(state, dict):
        return {key: same_tensors(value) for key, value in state.items()}
    return [same_tensors(value) for value in state] if isinstance(state, (list, tuple)) else state


def _checked_shape(shape: Any) -> Shape:
    if isinstance(shape, dict):
        return {name: tuple(whole_number(size, "input_shape", 0) for size in part) for name, part in shape.items()}
    return tuple(whole_number(size, "input_shape", 0) for size in shape)


def _bytes(node: Any) -> int:
    """Bytes of all tensors nested in dicts and lists but those that were given."""
    if isinstance(node, Given):
        return 0
    if isinstance(node, Tensor):
        return node.numel() * node.element_size()
    values = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return sum(map(_bytes, values))
