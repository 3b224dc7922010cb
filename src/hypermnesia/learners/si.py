"""Synaptic Intelligence: weights whose moves have lowered the loss of old tasks are held where they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.inputs import Shape
from hypermnesia.learners.consolidation import ConsolidatedLearner, Consolidation, HeldNetwork
from hypermnesia.learners.method import Method
from hypermnesia.regularizers import Penalty, si
from hypermnesia.regularizers.quadratic import QuadraticPenalty
from hypermnesia.settings import OnlyWith, SearchRange, Settings, chosen
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.settings import TrainingSettings


class SISettings(Settings):
    """Settings of synaptic intelligence: how strongly weights are held.

    Example:
        >>> SISettings(strength=5).damping
        0.1
    """

    strength: Annotated[float, Field(ge=0, allow_inf_nan=False), SearchRange(1e-2, 1e6, log=True)] = 1.0
    """c, strength of the penalty in the loss."""
    damping: Annotated[
        float, Field(gt=0, allow_inf_nan=False), SearchRange(1e-3, 1.0, log=True), OnlyWith("strength")
    ] = 0.1
    """ξ, which bounds the importance of weights that hardly moved."""


class IntelligentConsolidation(Consolidation):
    """Holds weights as their moves have lowered the loss of old tasks.

    Args:
        settings: Strength of the penalty.
        held: Network whose weights are held.
        device: Device of the weights.
    """

    def __init__(self, settings: SISettings, held: HeldNetwork, device: torch.device) -> None:
        self._settings = settings
        self._held = held
        self._device = device
        self._penalty = QuadraticPenalty()
        # Of the task that is being learned.
        self._integral: si.PathIntegral | None = None

    def penalty(self) -> Penalty | None:
        """Quadratic penalty, which in the first task only watches the weights."""
        assert self._integral is not None
        return _Intelligent(self._penalty, self._integral, self._settings.strength)

    def begin_task(self, outputs: int, input_shape: Shape) -> None:
        """Watch the weights from here on."""
        self._integral = si.PathIntegral(self._held.weights())

    def reopen_task(self, task: int) -> None:
        """Watch the weights from here on; they are held as they matter to all tasks, that one included."""
        self._integral = si.PathIntegral(self._held.weights())

    def end_task(self, task: Task) -> None:
        """Hold the weights where they are, as they have contributed."""
        assert self._integral is not None
        weights = self._held.weights()
        contributions, start = self._integral.finish(weights), self._integral.start
        self._penalty = si.with_task(self._penalty, contributions, start, weights, self._settings.damping)
        self._integral = None

    def abandon_task(self) -> None:
        """Forget what was watched."""
        self._integral = None

    def state(self) -> dict[str, Any]:
        """Penalty of all tasks so far, and what was watched of the one being learned."""
        integral = None if self._integral is None else self._integral.state()
        return {"penalty": self._penalty.state(), "integral": integral}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state` returned."""
        self._penalty = QuadraticPenalty.of_state(state["penalty"], self._device)
        self._integral = None
        if state["integral"] is not None:
            self._integral = si.PathIntegral(self._held.weights())
            self._integral.load_state(state["integral"])


class SILearner(ConsolidatedLearner):
    """A standard network whose weights are held by Synaptic Intelligence (SI).

    Source: Zenke, Poole and Ganguli, Continual learning through synaptic intelligence, ICML 2017.

    Args:
        module: Network that ends in a linear layer, which becomes a growing head. It is copied, not changed.
        settings: All settings of the method together, instead of the next two; see :class:`SISettings`.
        strength: c, strength of the penalty in the loss.
        damping: ξ, which bounds the importance of weights that hardly moved.
        scenario: What will be known and asked.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = SILearner(nn.Linear(2, 1), strength=10, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = SISettings
    settings: SISettings

    def __init__(
        self,
        module: nn.Module,
        settings: SISettings | Mapping[str, Any] | None = None,
        *,
        strength: float = 1.0,
        damping: float = 0.1,
        scenario: Scenario = "class",
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(SISettings, settings, locals())
        super().__init__(
            module,
            settings,
            scenario=scenario,
            criterion=criterion,
            metric=metric,
            training=training,
            seed=seed,
            device=device,
        )

    def _make_consolidation(self, held: HeldNetwork) -> Consolidation:
        return IntelligentConsolidation(self.settings, held, self.device)


class _Intelligent(Penalty):
    """Watches the gradient of the task loss alone, then adds that of the penalty."""

    def __init__(self, penalty: QuadraticPenalty, integral: si.PathIntegral, strength: float) -> None:
        self._penalty, self._integral, self._strength = penalty, integral, strength

    def statistics(self) -> list[Tensor]:
        return self._integral.tensors()

    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        self._integral.record(parameters)
        return self._strength * self._penalty.accumulate_gradients(parameters, self._strength)


METHODS = (Method("si", "SI", SILearner),)
