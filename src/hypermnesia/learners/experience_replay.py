"""Experience replay: a few examples of every task are kept and learned again; for those who may keep some data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners.method import Method
from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.seeds import Seeds
from hypermnesia.settings import Settings, chosen
from hypermnesia.standard import Past, PastBatch, StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective


class ExperienceReplaySettings(Settings):
    """Settings of experience replay.

    Example:
        >>> ExperienceReplaySettings(buffer_size=100).weight
        'equal'
    """

    buffer_size: Annotated[int, Field(ge=1)] = 500
    """Number of examples kept of all tasks together, shared equally among them; at least as many as tasks."""
    weight: Annotated[float, Field(gt=0, lt=1)] | Literal["equal"] = "equal"
    """Share of kept examples in the loss; `equal` gives every task so far the same."""


class ExperienceReplayLearner(StandardNetworkLearner):
    """A standard network that learns a few stored examples of past tasks again in every step (ER).

    A reference for those who may keep some data. Of each task equally many examples are kept, drawn at random.

    Source: Chaudhry et al., On tiny episodic memories in continual learning, 2019.

    Args:
        module: Network that ends in a linear layer, which becomes a growing head. It is copied, not changed.
        settings: All settings of the method together, instead of the next two; see :class:`ExperienceReplaySettings`.
        buffer_size: Number of examples kept of all tasks together, shared equally among them.
        weight: Share of kept examples in the loss; `equal` gives every task so far the same.
        scenario: What will be known and asked.
        training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = ExperienceReplayLearner(nn.Linear(2, 1), buffer_size=4, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = ExperienceReplaySettings
    needs_one_shape = True
    settings: ExperienceReplaySettings

    def __init__(
        self,
        module: nn.Module,
        settings: ExperienceReplaySettings | Mapping[str, Any] | None = None,
        *,
        buffer_size: int = 500,
        weight: float | Literal["equal"] = "equal",
        scenario: Scenario = "class",
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(ExperienceReplaySettings, settings, locals())
        super().__init__(module, settings, scenario=scenario, training=training, seed=seed, device=device)

    def _make_parts(self) -> dict[str, Part]:
        self._buffer = _Buffer(self.settings.buffer_size, self.seeds, self.device)
        return {**super()._make_parts(), "buffer": self._buffer}

    def _check(self, task: Task) -> int:
        outputs = super()._check(task)
        if self.settings.buffer_size <= self.num_tasks:
            raise ConfigurationError(
                f"a buffer of {self.settings.buffer_size} examples has no room for one of each of {self.num_tasks + 1}"
                " tasks: raise buffer_size"
            )
        return outputs

    def _objective(self) -> Objective:
        past = None
        if kept := self._buffer.kept:
            starts = [self._standard.outputs.of_task(task).start for task in range(self.num_tasks)]
            seeds = self.seeds.child("replay", self.num_tasks)
            past = _StoredExamples(kept, starts, len(self._standard.outputs), self.training.batch_size, seeds)
        return StandardObjective(self._standard, self.training, past=past, weight=self.settings.weight)


class _Buffer(Part):
    """Examples of all tasks: inputs `[n, ...]` and labels within the task `[n]` of each, in random order."""

    def __init__(self, size: int, seeds: Seeds, device: torch.device) -> None:
        self._size, self._seeds, self._device = size, seeds, device
        self.kept: list[tuple[Tensor, Tensor]] = []

    def end_task(self, task: Task) -> None:
        number = len(self.kept)
        share = self._size // (number + 1)
        inputs, labels = task.train.draw(share, self._seeds.child("buffer", number))
        self.kept.append((inputs.to(self._device, copy=True), labels.to(self._device, copy=True)))
        # In random order, so the first ones are a random choice. Cloned, so that the others are freed.
        self.kept = [(inputs[:share].clone(), labels[:share].clone()) for inputs, labels in self.kept]

    def state(self) -> dict[str, Any]:
        return {"kept": [list(kept) for kept in self.kept]}

    def load_state(self, state: dict[str, Any]) -> None:
        self.kept = [
            (inputs.to(self._device, copy=True), labels.to(self._device, copy=True)) for inputs, labels in state["kept"]
        ]


class _StoredExamples(Past):
    """Stored examples of all past tasks, drawn anew for each step."""

    def __init__(
        self, kept: list[tuple[Tensor, Tensor]], starts: list[int], outputs: int, batch_size: int, seeds: Seeds
    ) -> None:
        classes = torch.cat([labels + start for (_, labels), start in zip(kept, starts, strict=True)])
        tasks = torch.cat([torch.full_like(labels, task) for task, (_, labels) in enumerate(kept)])
        targets = functional.one_hot(classes, outputs).float()
        self._all = PastBatch(torch.cat([inputs for inputs, _ in kept]), targets, tasks)
        self._chosen = torch.zeros(batch_size, dtype=torch.int64, device=classes.device)
        self._seeds = seeds

    def prepare(self, iteration: int) -> None:
        generator = self._seeds.child(iteration).generator()
        self._chosen.copy_(torch.randint(len(self._all.tasks), self._chosen.shape, generator=generator))

    def batch(self, current: Tensor) -> PastBatch:
        return PastBatch(*(part[self._chosen] for part in self._all))


METHODS = (Method("er", "ER", ExperienceReplayLearner),)
