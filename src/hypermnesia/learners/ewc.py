"""Elastic weight consolidation: weights that the Fisher information calls important are held where they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from hypermnesia.arguments import whole_number
from hypermnesia.criteria import Criterion, Custom, GivenCriterion, GivenMetric
from hypermnesia.errors import ConfigurationError
from hypermnesia.learners.consolidation import ConsolidatedLearner, Consolidation, HeldNetwork
from hypermnesia.learners.method import Method
from hypermnesia.regularizers import Penalty, ewc
from hypermnesia.regularizers.fisher import FisherKind, diagonal_fisher
from hypermnesia.regularizers.quadratic import QuadraticPenalty
from hypermnesia.seeds import Seeds
from hypermnesia.settings import OnlyWith, SearchRange, Settings, chosen
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.settings import TrainingSettings

_EXAMPLES_AT_A_TIME = 256


class EWCSettings(Settings):
    """Settings of elastic weight consolidation.

    Example:
        >>> EWCSettings(strength=100).fisher
        'exact'
    """

    strength: Annotated[float, Field(ge=0, allow_inf_nan=False), SearchRange(1e-1, 1e12, log=True)] = 1e3
    """λ, strength of the penalty in the loss."""
    decay: Annotated[float, Field(gt=0, le=1)] | None = None
    """γ of online EWC: one penalty, around the weights after the newest task, in which older tasks fade by this factor.
    Null for a penalty for each task."""
    fisher: Annotated[FisherKind, OnlyWith("strength")] = "exact"
    """Kind of Fisher information: `exact` takes the expectation over all classes; `sampled` a class drawn from the
    network's answer to each example, which is faster where layers are not linear, but nearly always nothing where the
    network is sure of its answers; `empirical` the label."""
    fisher_examples: Annotated[Annotated[int, Field(ge=1)] | None, OnlyWith("strength")] = None
    """Number of training examples it is estimated from, drawn at random; null for all."""


class ElasticConsolidation(Consolidation):
    """Holds weights as the Fisher information says they matter.

    Args:
        settings: Strength of the penalty, and how the Fisher information is estimated.
        held: Network whose weights are held.
        criterion: Returns what is learned by.
        seeds: Root of the choice of examples, and of classes if they are sampled.
        device: Device of the weights.
    """

    def __init__(
        self,
        settings: EWCSettings,
        held: HeldNetwork,
        criterion: Callable[[], Criterion],
        seeds: Seeds,
        device: torch.device,
    ) -> None:
        self._settings, self._criterion = settings, criterion
        self._held = held
        self._seeds = seeds
        self._device = device
        self._penalty = QuadraticPenalty()
        self._num_tasks = 0

    def penalty(self) -> Penalty | None:
        """Quadratic penalty; None in the first task."""
        return _Elastic(self._penalty, self._settings.strength) if self._num_tasks else None

    def reopen_task(self, task: int) -> None:
        """Hold the weights as they matter to all tasks, that one included."""

    def end_task(self, task: Task) -> None:
        """Estimate the Fisher information of the task's answers, and hold the weights where they are."""
        wanted, seeds = self._settings.fisher_examples, self._seeds.child("fisher examples", self._num_tasks)
        batches = task.train.in_order(_EXAMPLES_AT_A_TIME)
        if wanted is not None and wanted < len(task.train):
            batches = iter([task.train.draw(wanted, seeds)])
        criterion, weights, first_label = self._criterion(), self._held.weights(), self._held.first_label()
        fisher = diagonal_fisher(
            self._held.answers(),
            weights,
            (
                (inputs.to(self._device), self._criterion().placed(labels.to(self._device), first_label))
                for inputs, labels in batches
            ),
            self._settings.fisher,
            criterion,
            generator=self._seeds.child("fisher", self._num_tasks).generator(),
            hold=self._held.holding,
        )
        if self._settings.decay is None:
            self._penalty = ewc.with_task(self._penalty, fisher, weights)
        else:
            self._penalty = ewc.online(self._penalty, fisher, weights, self._settings.decay)
        self._num_tasks += 1

    def state(self) -> dict[str, Any]:
        """Penalty of all tasks so far."""
        return {"penalty": self._penalty.state(), "num_tasks": self._num_tasks}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state` returned."""
        self._penalty = QuadraticPenalty.of_state(state["penalty"], self._device)
        self._num_tasks = whole_number(state["num_tasks"], "num_tasks", 0)


class EWCLearner(ConsolidatedLearner):
    """A standard network whose weights are held by elastic weight consolidation (EWC), or by online EWC.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017; online: Schwarz et
    al., Progress & compress, ICML 2018.

    Args:
        module: Network that ends in a linear layer, which becomes a growing head. It is copied, not changed.
        settings: All settings of the method together, instead of the next four; see :class:`EWCSettings`.
        strength: λ, strength of the penalty in the loss.
        decay: γ of online EWC, the factor by which older tasks fade; None for a penalty for each task.
        fisher: Kind of Fisher information: `exact`, `sampled` or `empirical`.
        fisher_examples: Number of training examples it is estimated from; None for all.
        scenario: What will be known and asked.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = EWCLearner(nn.Linear(2, 1), strength=10, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = EWCSettings
    settings: EWCSettings

    def __init__(
        self,
        module: nn.Module,
        settings: EWCSettings | Mapping[str, Any] | None = None,
        *,
        strength: float = 1e3,
        decay: float | None = None,
        fisher: FisherKind = "exact",
        fisher_examples: int | None = None,
        scenario: Scenario = "class",
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(EWCSettings, settings, locals())
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
        return ElasticConsolidation(self.settings, held, lambda: self.criterion, self.seeds, self.device)

    def _check_criterion(self) -> None:
        super()._check_criterion()
        check_has_fisher(self._given_criterion, self.settings)


def check_has_fisher(criterion: Criterion | None, settings: EWCSettings) -> None:
    """Refuse a Fisher information that there is not: a function that is learned by is no likelihood.

    Raises:
        ConfigurationError: There is none of that kind.
    """
    if isinstance(criterion, Custom) and settings.strength and settings.fisher != "empirical":
        raise ConfigurationError(
            f"the criterion {criterion.kind} is no likelihood, so there are no answers to take an expectation over: set"
            " fisher to 'empirical', which takes the gradient of the loss of each example"
        )


class _Elastic(Penalty):
    def __init__(self, penalty: QuadraticPenalty, strength: float) -> None:
        self._penalty, self._strength = penalty, strength

    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        return self._strength * self._penalty.accumulate_gradients(parameters, self._strength)


METHODS = (
    Method("ewc", "EWC", EWCLearner, fixed={"decay": (None,)}),
    Method("online-ewc", "online EWC", EWCLearner, settings={"decay": 1.0}),
)
