"""Learning without forgetting: on the current task's inputs, the network's old answers are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.inputs import Inputs
from hypermnesia.learners.method import Method
from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.parallel import share
from hypermnesia.settings import SearchRange, Settings, chosen
from hypermnesia.standard import Past, PastBatch, SoftTargets, StandardNetwork, StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.training.objective import WHOLE, Objective, Portion
from hypermnesia.training.settings import TrainingSettings


class LwFSettings(Settings):
    """Settings of learning without forgetting.

    Example:
        >>> LwFSettings().weight
        'equal'
    """

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False), SearchRange(0.5, 5.0)] = 2.0
    """Temperature of the old answers."""
    weight: Annotated[float, Field(gt=0, lt=1)] | Literal["equal"] = "equal"
    """Share of old answers in the loss; `equal` gives every task so far the same."""


class LwFLearner(StandardNetworkLearner):
    """A standard network that keeps, on the inputs of the current task, the answers it gave before (LwF).

    Where each task has outputs of its own, an input of the current task stands for each past task in turns.

    Source: Li and Hoiem, Learning without forgetting, ECCV 2016; weighted as by van de Ven and Tolias, 2019.

    Args:
        module: Network that ends in a linear layer, which becomes a growing head. It is copied, not changed.
        settings: All settings of the method together, instead of the next two; see :class:`LwFSettings`.
        temperature: Temperature of the old answers.
        weight: Share of old answers in the loss; `equal` gives every task so far the same.
        scenario: What will be known and asked.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = LwFLearner(nn.Linear(2, 1), training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = LwFSettings
    settings: LwFSettings

    def __init__(
        self,
        module: nn.Module,
        settings: LwFSettings | Mapping[str, Any] | None = None,
        *,
        temperature: float = 2.0,
        weight: float | Literal["equal"] = "equal",
        scenario: Scenario = "class",
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(LwFSettings, settings, locals())
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

    def _objective(self) -> Objective:
        weight, temperature = self.settings.weight, self.settings.temperature
        past = _CurrentInputs(self._standard, temperature) if self.num_tasks else None
        return StandardObjective(
            self._standard, self.training, self.criterion, past=past, weight=weight, temperature=temperature
        )


class _CurrentInputs(Past):
    """The current task's inputs, taken for what the network took them for before."""

    def __init__(self, standard: StandardNetwork, temperature: float) -> None:
        self._targets = SoftTargets(standard, temperature)
        self._num_tasks = standard.num_tasks
        self._first = torch.zeros((), dtype=torch.int64, device=standard.device)

    def prepare(self, iteration: int) -> None:
        """Start with another task in every step, so that small batches leave none out."""
        self._first.fill_(iteration % self._num_tasks)

    def batch(self, current: Inputs, portion: Portion = WHOLE) -> PastBatch:
        number = len(current)
        places = portion.number * number + torch.arange(number, device=current.device)
        tasks = (self._first + places) % self._num_tasks
        current, tasks = share(current), share(tasks)
        return PastBatch(current, self._targets(current, tasks), tasks, number)


METHODS = (Method("lwf", "LwF", LwFLearner),)
