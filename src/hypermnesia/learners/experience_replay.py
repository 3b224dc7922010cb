"""Experience replay: a few examples of every task are kept and learned again; for those who may keep some data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.seeds import Seeds
from hypermnesia.settings import Settings
from hypermnesia.standard import Past, PastBatch, StandardObjective
from hypermnesia.tasks.task import Task
from hypermnesia.training.trainer import Objective

Kept = tuple[Tensor, Tensor]
"""Inputs of a task `[n, ...]` and their labels within it `[n]`, in random order."""


class ExperienceReplaySettings(Settings):
    """How many examples are kept, and how much they count.

    Example:
        >>> ExperienceReplaySettings(buffer_size=100).weight
        'equal'
    """

    buffer_size: Annotated[int, Field(ge=1)] = 500
    """Examples kept of all tasks together, shared equally among them; at least as many as tasks."""
    weight: Annotated[float, Field(gt=0, lt=1)] | Literal["equal"] = "equal"
    """Share of kept examples in the loss; `equal` gives every task so far the same."""


class ExperienceReplayLearner(StandardNetworkLearner):
    """A standard network that learns a few stored examples of past tasks again in every step (ER).

    A reference for those who may keep some data. Of each task equally many examples are kept, drawn at random.

    Source: Chaudhry et al., On tiny episodic memories in continual learning, 2019.

    Args:
        module: Ends in a linear layer, which becomes a growing head. It is copied, not changed.
        scenario: What will be known and asked.
        training: How each task is optimized: settings, or their fields as a dict.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.
        settings: Fields of :class:`ExperienceReplaySettings`.

    Raises:
        ConfigurationError: If a setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = ExperienceReplayLearner(nn.Linear(2, 1), buffer_size=4, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = ExperienceReplaySettings
    settings: ExperienceReplaySettings

    def __init__(self, module: nn.Module, **arguments: Any) -> None:
        super().__init__(module, **arguments)
        self._buffer: list[Kept] = []

    def _check(self, task: Task) -> None:
        super()._check(task)
        if self.settings.buffer_size <= self.num_tasks:
            raise ConfigurationError(
                f"a buffer of {self.settings.buffer_size} examples has no room for one of each of {self.num_tasks + 1}"
                " tasks: raise buffer_size"
            )

    def _objective(self) -> Objective:
        past = None
        if self._buffer:
            starts = [self._standard.outputs.of_task(task).start for task in range(self.num_tasks)]
            seeds = self.seeds.child("replay", self.num_tasks)
            past = _StoredExamples(self._buffer, starts, len(self._standard.outputs), self.training.batch_size, seeds)
        return StandardObjective(self._standard, self.training, past=past, weight=self.settings.weight)

    def _end_task(self, task: Task) -> None:
        share = self.settings.buffer_size // (self.num_tasks + 1)
        inputs, labels = task.train.draw(share, self.seeds.child("buffer", self.num_tasks))
        self._buffer.append((inputs.to(self.device, copy=True), labels.to(self.device, copy=True)))
        # In random order, so the first ones are a random choice. Cloned, so that the others are freed.
        self._buffer = [(inputs[:share].clone(), labels[:share].clone()) for inputs, labels in self._buffer]
        super()._end_task(task)

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "buffer": [list(kept) for kept in self._buffer]}

    def _load_state(self, state: dict[str, Any]) -> None:
        super()._load_state(state)
        self._buffer = [
            (inputs.to(self.device, copy=True), labels.to(self.device, copy=True)) for inputs, labels in state["buffer"]
        ]


class _StoredExamples(Past):
    """Stored examples of all past tasks, drawn anew for each step."""

    def __init__(self, buffer: list[Kept], starts: list[int], outputs: int, batch_size: int, seeds: Seeds) -> None:
        classes = torch.cat([labels + start for (_, labels), start in zip(buffer, starts, strict=True)])
        tasks = torch.cat([torch.full_like(labels, task) for task, (_, labels) in enumerate(buffer)])
        targets = functional.one_hot(classes, outputs).float()
        self._all = PastBatch(torch.cat([inputs for inputs, _ in buffer]), targets, tasks)
        self._chosen = torch.zeros(batch_size, dtype=torch.int64, device=classes.device)
        self._seeds = seeds

    def prepare(self, iteration: int) -> None:
        generator = self._seeds.child(iteration).generator()
        self._chosen.copy_(torch.randint(len(self._all.tasks), self._chosen.shape, generator=generator))

    def batch(self, current: Tensor) -> PastBatch:
        return PastBatch(*(part[self._chosen] for part in self._all))
