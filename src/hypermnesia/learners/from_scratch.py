"""From scratch: a new network for each task, which forgets nothing and shares nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hypermnesia.learners.base import ContinualLearner, Prediction
from hypermnesia.problems import BOTH
from hypermnesia.standard import StandardNetwork, StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective


class FromScratchLearner(ContinualLearner):
    """A network of its own for each task: all the memory it takes, and no transfer. Task-incremental only.

    Each starts from the module's weights, with a new head. Its arguments are those of :class:`ContinualLearner`; the
    module ends in a linear layer.

    Example:
        >>> learner = FromScratchLearner(nn.Linear(2, 1), training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    problems = BOTH

    def __init__(
        self,
        module: nn.Module,
        *,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(module, training=training, seed=seed, device=device)
        # Where each starts; never learns.
        self._start = StandardNetwork(self._module, "task", self.training, self.seeds)
        self._networks: tuple[StandardNetwork, ...] = ()

    @property
    def num_tasks(self) -> int:
        """Tasks learned completely."""
        return sum(network.num_tasks for network in self._networks)

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept, of the networks of all tasks so far."""
        return sum(network.num_weights for network in self._networks)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Only where the task is known."""
        return ("task",)

    def _predict(self, inputs: Tensor, task: int | None) -> Prediction:
        assert task is not None
        return self._given_task(self._networks[task].logits(inputs), task)

    def _check_outputs(self, task: Task, outputs: int) -> None:
        """Any number will do: the head grows."""

    def _begin_task(self, task: Task) -> None:
        self._networks = (*self._networks, self._new())
        self._networks[-1].begin_task(task.count_outputs())

    def _objective(self) -> Objective:
        return StandardObjective(self._networks[-1], self.training, self.problem)

    def _end_task(self, task: Task) -> None:
        self._networks[-1].end_task()

    def _abandon_task(self) -> None:
        self._networks = self._networks[:-1]

    def _settings(self) -> dict[str, Any]:
        return {"training": self.training.model_dump(mode="json"), "seed": self.seeds.root}

    def _state(self) -> dict[str, Any]:
        return {"start": self._start.state(), "networks": [network.state() for network in self._networks]}

    def _load_state(self, state: dict[str, Any]) -> None:
        self._start.load_state(state["start"])
        self._networks = ()
        for saved in state["networks"]:
            self._networks = (*self._networks, self._new())
            self._networks[-1].load_state(saved)

    def _new(self) -> StandardNetwork:
        seeds = self.seeds.child("network", len(self._networks))
        return StandardNetwork(self._start.network.module, "task", self.training, seeds)
