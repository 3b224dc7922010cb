"""What every continual learner can do, whatever its method."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from hypermnesia.errors import CheckpointError, DivergenceError
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task
from hypermnesia.training import checkpoint
from hypermnesia.training.device import resolve_device
from hypermnesia.training.monitor import Monitor
from hypermnesia.training.settings import TrainingSettings, validated
from hypermnesia.training.trainer import Objective, Trainer

Learner = TypeVar("Learner", bound="ContinualLearner")


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A learner's answer.

    Attributes:
        labels: The likeliest class of each input, counted within the task, `[inputs]`.
        probabilities: Of every class, `[inputs, classes]`.
        task: The task whose weights answered.
    """

    labels: Int64[Tensor, " inputs"]
    probabilities: Float[Tensor, "inputs classes"]
    task: int


class ContinualLearner(ABC):
    """Learns tasks one after another and answers for all of them.

    Args:
        module: The network that answers. It is copied, not changed.
        training: How each task is optimized: settings, or their fields as a dict; None for the defaults.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        self.training = validated(TrainingSettings, training or {})
        self.seeds = Seeds(seed)
        self.device = resolve_device(str(device))
        self._module = copy.deepcopy(module).to(self.device)
        self._trainer: Trainer | None = None
        self._trainer_state: dict[str, Any] | None = None

    @property
    @abstractmethod
    def num_tasks(self) -> int:
        """Tasks learned completely."""

    @abstractmethod
    def predict(self, inputs: Tensor, task: int) -> Prediction:
        """Answer for a batch of inputs that are known to belong to a task.

        Args:
            inputs: As in training batches, `[inputs, ...]`.
            task: The task's number, in the order of learning, from 0; the task being learned counts too.
        """

    @abstractmethod
    def _begin_task(self, task: Task) -> None:
        """Check that the task fits, and make room for it."""

    @abstractmethod
    def _objective(self) -> Objective:
        """What to optimize for the task that was begun."""

    @abstractmethod
    def _end_task(self) -> None:
        """Keep what was learned."""

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
                tensors. Labels count from 0 within the task.
            monitor: Called after every step.

        Raises:
            DataError: If the examples do not fit the module or the earlier tasks.
            DivergenceError: If the loss is not finite; the learner is then as it was before the task.
        """
        task = Task.of(source)
        if self.in_progress is None:
            self._begin_task(task)
        if self._trainer is None:
            seeds = self.seeds.child("task", self.num_tasks)
            self._trainer = Trainer(self._objective(), task.train, self.training, seeds, self.device)
            if self._trainer_state is not None:
                self._trainer.load_state_dict(self._trainer_state)
                self._trainer_state = None
        try:
            self._trainer.run(monitor)
        except DivergenceError:
            self._trainer = None
            self._abandon_task()
            raise
        self._trainer = None
        self._end_task()

    def state_dict(self) -> dict[str, Any]:
        """All of the learner's state, also amid a task: nested dicts and lists of tensors and plain values."""
        trainer = self._trainer_state if self._trainer is None else self._trainer.state_dict()
        return {"learner": self._state(), "trainer": trainer}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state_dict` of a learner with the same settings gave."""
        self._load_state(state["learner"])
        self._trainer, self._trainer_state = None, state["trainer"]

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """The constructor's keyword arguments, as plain values."""

    def save(self, path: str | Path) -> None:
        """Write the learner, settings included, to one safetensors file; nothing in it is ever unpickled.

        Args:
            path: Where to; an existing file is replaced, at once and whole.
        """
        checkpoint.write(path, {"kind": type(self).__name__, "settings": self._settings(), "state": self.state_dict()})

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
        saved = checkpoint.read(path)
        kind = saved.get("kind") if isinstance(saved, dict) else None
        if kind != cls.__name__:
            raise CheckpointError(f"{path} holds {kind or 'no learner'}, not a {cls.__name__}")
        learner = cls(module, **saved["settings"], device=device)
        learner.load_state_dict(saved["state"])
        return learner
