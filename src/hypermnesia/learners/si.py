"""Synaptic Intelligence: weights whose moves have lowered the loss of old tasks are held where they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from hypermnesia.learners.consolidation import Answers, ConsolidatedLearner, Consolidation
from hypermnesia.regularizers import Penalty, si
from hypermnesia.regularizers.quadratic import QuadraticPenalty
from hypermnesia.settings import SearchRange, Settings
from hypermnesia.tasks.examples import Examples


class SISettings(Settings):
    """How strongly weights are held.

    Example:
        >>> SISettings(strength=5).damping
        0.1
    """

    strength: Annotated[float, Field(ge=0, allow_inf_nan=False), SearchRange(1e-2, 1e6, log=True)] = 1.0
    """c, of the penalty in the loss."""
    damping: Annotated[float, Field(gt=0, allow_inf_nan=False), SearchRange(1e-3, 1.0, log=True)] = 0.1
    """ξ, which bounds the importance of weights that hardly moved."""


class IntelligentConsolidation(Consolidation):
    """Holds weights as their moves have lowered the loss of old tasks.

    Args:
        settings: How strongly.
        device: Where the weights are.
    """

    def __init__(self, settings: SISettings, device: torch.device) -> None:
        self._settings = settings
        self._device = device
        self._penalty = QuadraticPenalty()
        # Of the task that is being learned.
        self._integral: si.PathIntegral | None = None

    def begin_task(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Watch the weights from here on."""
        self._integral = si.PathIntegral(parameters)

    def penalty(self) -> Penalty | None:
        """In the first task too, where it only watches."""
        assert self._integral is not None
        return _Intelligent(self._penalty, self._integral, self._settings.strength)

    def end_task(
        self, parameters: Mapping[str, nn.Parameter], answers: Answers, examples: Examples, first_label: int
    ) -> None:
        """Hold the weights there, as they have contributed."""
        assert self._integral is not None
        contributions, start = self._integral.finish(parameters), self._integral.start
        self._penalty = si.with_task(self._penalty, contributions, start, parameters, self._settings.damping)
        self._integral = None

    def abandon_task(self) -> None:
        """Forget what was watched."""
        self._integral = None

    def state(self) -> dict[str, Any]:
        """Of all tasks so far, and of the one being learned."""
        integral = None if self._integral is None else self._integral.state()
        return {"penalty": self._penalty.state(), "integral": integral}

    def load_state(self, state: dict[str, Any], parameters: Mapping[str, nn.Parameter]) -> None:
        """Take over what :meth:`state` gave."""
        self._penalty = QuadraticPenalty.of_state(state["penalty"], self._device)
        self._integral = None
        if state["integral"] is not None:
            self._integral = si.PathIntegral(parameters)
            self._integral.load_state(state["integral"])


class SILearner(ConsolidatedLearner):
    """A standard network whose weights are held by Synaptic Intelligence (SI).

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

    Settings = SISettings
    settings: SISettings

    def __init__(self, module: nn.Module, **arguments: Any) -> None:
        super().__init__(module, **arguments)
        self._consolidation = IntelligentConsolidation(self.settings, self.device)


class _Intelligent(Penalty):
    """Watches the gradient of the task loss alone, then adds that of the penalty."""

    def __init__(self, penalty: QuadraticPenalty, integral: si.PathIntegral, strength: float) -> None:
        self._penalty, self._integral, self._strength = penalty, integral, strength

    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        self._integral.record(parameters)
        return self._strength * self._penalty.accumulate_gradients(parameters, self._strength)
