"""Elastic weight consolidation: weights that the Fisher information calls important are held where they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from hypermnesia.learners.consolidation import Answers, ConsolidatedLearner, Consolidation
from hypermnesia.regularizers import Penalty, ewc
from hypermnesia.regularizers.fisher import FisherKind, diagonal_fisher
from hypermnesia.regularizers.quadratic import QuadraticPenalty
from hypermnesia.seeds import Seeds
from hypermnesia.settings import SearchRange, Settings
from hypermnesia.tasks.examples import Examples

_EXAMPLES_AT_A_TIME = 256


class EWCSettings(Settings):
    """How strongly weights are held, and how it is estimated which.

    Example:
        >>> EWCSettings(strength=100).fisher
        'exact'
    """

    strength: Annotated[float, Field(ge=0, allow_inf_nan=False), SearchRange(1e-1, 1e12, log=True)] = 1e3
    """λ, of the penalty in the loss."""
    decay: Annotated[float, Field(gt=0, le=1)] | None = None
    """γ of online EWC: one penalty, around the weights after the newest task, in which older tasks fade by this factor.
    Null for a penalty for each task."""
    fisher: FisherKind = "exact"
    """Which Fisher information: `exact` takes the expectation over all classes; `sampled` a class drawn from the
    network's answer to each example, which is faster where layers are not linear, but nearly always nothing where the
    network is sure of its answers; `empirical` the label."""
    fisher_examples: Annotated[int, Field(ge=1)] | None = None
    """Training examples it is estimated from, drawn at random; null for all."""


class ElasticConsolidation(Consolidation):
    """Holds weights as the Fisher information says they matter.

    Args:
        settings: How strongly, and how it is estimated.
        seeds: Where the choice of examples, and of classes if they are sampled, draws from.
        device: Where the weights are.
    """

    def __init__(self, settings: EWCSettings, seeds: Seeds, device: torch.device) -> None:
        self._settings = settings
        self._seeds = seeds
        self._device = device
        self._penalty = QuadraticPenalty()
        self._num_tasks = 0

    def begin_task(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Nothing is watched while a task is learned."""

    def penalty(self) -> Penalty | None:
        """None in the first task."""
        return _Elastic(self._penalty, self._settings.strength) if self._num_tasks else None

    def end_task(
        self, parameters: Mapping[str, nn.Parameter], answers: Answers, examples: Examples, first_label: int
    ) -> None:
        """Estimate the Fisher information of the answers, and hold the weights there."""
        wanted, seeds = self._settings.fisher_examples, self._seeds.child("fisher examples", self._num_tasks)
        batches = examples.in_order(_EXAMPLES_AT_A_TIME)
        if wanted is not None and wanted < len(examples):
            batches = iter([examples.draw(wanted, seeds)])
        fisher = diagonal_fisher(
            answers,
            parameters,
            ((inputs.to(self._device), labels.to(self._device) + first_label) for inputs, labels in batches),
            self._settings.fisher,
            examples.problem,
            generator=self._seeds.child("fisher", self._num_tasks).generator(),
        )
        if self._settings.decay is None:
            self._penalty = ewc.with_task(self._penalty, fisher, parameters)
        else:
            self._penalty = ewc.online(self._penalty, fisher, parameters, self._settings.decay)
        self._num_tasks += 1

    def abandon_task(self) -> None:
        """Nothing has changed."""

    def state(self) -> dict[str, Any]:
        """Of all tasks so far."""
        return {"penalty": self._penalty.state(), "num_tasks": self._num_tasks}

    def load_state(self, state: dict[str, Any], parameters: Mapping[str, nn.Parameter]) -> None:
        """Take over what :meth:`state` gave."""
        self._penalty = QuadraticPenalty.of_state(state["penalty"], self._device)
        self._num_tasks = state["num_tasks"]


class EWCLearner(ConsolidatedLearner):
    """A standard network whose weights are held by elastic weight consolidation (EWC), or by online EWC.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017; online: Schwarz et
    al., Progress & compress, ICML 2018.

    Args:
        module: Ends in a linear layer, which becomes a growing head. It is copied, not changed.
        scenario: What will be known and asked.
        training: How each task is optimized: settings, or their fields as a dict.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.
        settings: Fields of :class:`EWCSettings`.

    Raises:
        ConfigurationError: If a setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = EWCLearner(nn.Linear(2, 1), strength=10, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = EWCSettings
    settings: EWCSettings

    def __init__(self, module: nn.Module, **arguments: Any) -> None:
        super().__init__(module, **arguments)
        self._consolidation = ElasticConsolidation(self.settings, self.seeds, self.device)


class _Elastic(Penalty):
    def __init__(self, penalty: QuadraticPenalty, strength: float) -> None:
        self._penalty, self._strength = penalty, strength

    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        return self._strength * self._penalty.accumulate_gradients(parameters, self._strength)
