"""A hypernetwork whose own weights are held, instead of what it generates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners.consolidation import Consolidation
from hypermnesia.learners.ewc import ElasticConsolidation, EWCSettings
from hypermnesia.learners.hypernetwork import HypernetworkLearner
from hypermnesia.learners.inference_criteria import InferenceSettings
from hypermnesia.learners.si import IntelligentConsolidation, SISettings
from hypermnesia.settings import checked
from hypermnesia.tasks.task import Task
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective


class ConsolidatedHypernetworkLearner(HypernetworkLearner):
    """A hypernetwork that EWC or Synaptic Intelligence keeps from forgetting, by holding its weights Θ_h.

    What the output regularizer is compared with: there the weights are free to move as long as what is generated for
    old tasks stays.

    Source: a comparison that the code of von Oswald et al., ICLR 2020, allows.

    Args:
        module: The target network, with one head. It is copied, not changed.
        ewc: Fields of :class:`EWCSettings`; exclusive with `si`.
        si: Fields of :class:`SISettings`; exclusive with `ewc`.
        inference: How the task is inferred where it is not given.
        training: How each task is optimized: settings, or their fields as a dict.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.
        settings: Fields of :class:`HypernetworkSettings`; `beta` is 0.

    Raises:
        ConfigurationError: If a setting is wrong, `beta` is not 0, or not exactly one of `ewc` and `si` is given.

    Example:
        >>> learner = ConsolidatedHypernetworkLearner(nn.Linear(2, 2), ewc={"strength": 10}, hidden=(4,), chunk_size=3,
        ...                                           training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        ewc: EWCSettings | Mapping[str, Any] | None = None,
        si: SISettings | Mapping[str, Any] | None = None,
        inference: InferenceSettings | Mapping[str, Any] | None = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> None:
        # First, so that what is wrong with them is told before anything is made.
        if (ewc is None) == (si is None):
            raise ConfigurationError("give either ewc or si, the settings of what holds the weights")
        self.ewc = None if ewc is None else checked(EWCSettings, ewc)
        self.si = None if si is None else checked(SISettings, si)
        if settings.setdefault("beta", 0.0) != 0:
            raise ConfigurationError("beta must be 0: the weights themselves are held, not what is generated from them")
        super().__init__(module, inference=inference, training=training, seed=seed, device=device, **settings)
        self._consolidation: Consolidation
        if self.ewc is not None:
            self._consolidation = ElasticConsolidation(self.ewc, self.seeds, self.device)
        if self.si is not None:
            self._consolidation = IntelligentConsolidation(self.si, self.device)

    def _begin_task(self, task: Task) -> None:
        super()._begin_task(task)
        self._consolidation.begin_task(self.hypernetwork.shared_parameters())

    def _objective(self) -> Objective:
        return self._network_objective(self._consolidation.penalty())

    def _end_task(self, task: Task) -> None:
        network, number = self._network, self.num_tasks
        embedding, statistics = self.hypernetwork.task_embeddings[number].detach(), network.statistics(number)

        def answers(theta: dict[str, Tensor], inputs: Tensor) -> Tensor:
            return network({**self.hypernetwork.generate(embedding, theta), **statistics}, inputs)

        network.module.eval()
        self._consolidation.end_task(self.hypernetwork.shared_parameters(), answers, task.train, 0)
        super()._end_task(task)

    def _abandon_task(self) -> None:
        super()._abandon_task()
        self._consolidation.abandon_task()

    def _settings(self) -> dict[str, Any]:
        of_consolidation = {
            name: None if held is None else held.model_dump(mode="json")
            for name, held in (("ewc", self.ewc), ("si", self.si))
        }
        return {**super()._settings(), **of_consolidation}

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "consolidation": self._consolidation.state()}

    def _load_state(self, state: dict[str, Any]) -> None:
        super()._load_state(state)
        self._consolidation.load_state(state["consolidation"], self.hypernetwork.shared_parameters())
