"""Synaptic Intelligence: weights whose moves have lowered the loss of old tasks are held where they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from hypermnesia.learners.plain import PlainLearner
from hypermnesia.plain import Penalty, PlainObjective
from hypermnesia.regularizers import si
from hypermnesia.regularizers.quadratic import QuadraticPenalty
from hypermnesia.search import Searched
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.settings import TrainingSettings, validated
from hypermnesia.training.trainer import Objective


class SISettings(BaseModel):
    """How strongly weights are held.

    Example:
        >>> SISettings(strength=5).damping
        0.1
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    strength: Annotated[float, Field(ge=0, allow_inf_nan=False), Searched(1e-2, 1e6, log=True)] = 1.0
    """c, of the penalty in the loss."""
    damping: Annotated[float, Field(gt=0, allow_inf_nan=False), Searched(1e-3, 1.0, log=True)] = 0.1
    """ξ, which bounds the importance of weights that hardly moved."""


class SILearner(PlainLearner):
    """A plain network whose weights are held by Synaptic Intelligence (SI).

    Source: Zenke, Poole and Ganguli, Continual learning through synaptic intelligence, ICML 2017.

    Args:
        module: Ends in a linear layer, which becomes a growing head. It is copied, not changed.
        scenario: What will be known and asked.
        training: How each task is optimized: settings, or their fields as a dict.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.
        settings: Fields of :class:`SISettings`.

    Raises:
        ConfigurationError: If a setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = SILearner(nn.Linear(2, 1), strength=10, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        scenario: Scenario = "class",
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> None:
        # First, so that what is wrong with them is told before anything is made.
        self.settings = validated(SISettings, settings)
        super().__init__(module, scenario=scenario, training=training, seed=seed, device=device)
        self._penalty = QuadraticPenalty()
        # Of the task that is being learned.
        self._integral: si.PathIntegral | None = None

    def _begin_task(self, task: Task) -> None:
        super()._begin_task(task)
        self._integral = si.PathIntegral(self._plain.trained)

    def _objective(self) -> Objective:
        assert self._integral is not None
        return PlainObjective(
            self._plain, self.training, penalty=_Intelligent(self._penalty, self._integral, self.settings.strength)
        )

    def _end_task(self, task: Task) -> None:
        assert self._integral is not None
        parameters = self._plain.trained
        contributions = self._integral.finish(parameters)
        self._penalty = si.with_task(
            self._penalty, contributions, self._integral.start, parameters, self.settings.damping
        )
        self._integral = None
        super()._end_task(task)

    def _abandon_task(self) -> None:
        super()._abandon_task()
        self._integral = None

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), **self.settings.model_dump(mode="json")}

    def _state(self) -> dict[str, Any]:
        integral = None if self._integral is None else self._integral.state()
        return {**super()._state(), "penalty": self._penalty.state(), "integral": integral}

    def _load_state(self, state: dict[str, Any]) -> None:
        super()._load_state(state)
        self._penalty = QuadraticPenalty.of_state(state["penalty"], self.device)
        self._integral = None
        if state["integral"] is not None:
            self._integral = si.PathIntegral(self._plain.trained)
            self._integral.load_state(state["integral"])


class _Intelligent(Penalty):
    """Watches the gradient of the task loss alone, then adds that of the penalty."""

    def __init__(self, penalty: QuadraticPenalty, integral: si.PathIntegral, strength: float) -> None:
        self._penalty, self._integral, self._strength = penalty, integral, strength

    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        self._integral.record(parameters)
        return self._strength * self._penalty.accumulate_gradients(parameters, self._strength)
