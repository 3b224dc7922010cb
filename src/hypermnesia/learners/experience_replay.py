"""Experience replay: a few examples of every task are kept and learned again; for those who may keep some data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.learners.memory import MemoryLearner, MemorySettings
from hypermnesia.learners.method import Method
from hypermnesia.settings import chosen
from hypermnesia.standard import StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.training.objective import Objective
from hypermnesia.training.settings import TrainingSettings


class ExperienceReplaySettings(MemorySettings):
    """Settings of experience replay.

    Example:
        >>> ExperienceReplaySettings(buffer_size=100).weight
        'equal'
    """

    weight: Annotated[float, Field(gt=0, lt=1)] | Literal["equal"] = "equal"
    """Share of kept examples in the loss; `equal` gives every task so far the same."""


class ExperienceReplayLearner(MemoryLearner):
    """A standard network that learns a few stored examples of past tasks again in every step (ER).

    A reference for those who may keep some data. Of each task equally many examples are kept, drawn at random.

    Source: Chaudhry et al., On tiny episodic memories in continual learning, 2019.

    Args:
        module: Network that ends in a linear layer, which becomes a growing head. It is copied, not changed.
        settings: All settings of the method together, instead of the next two; see :class:`ExperienceReplaySettings`.
        buffer_size: Number of examples kept of all tasks together, shared equally among them.
        weight: Share of kept examples in the loss; `equal` gives every task so far the same.
        scenario: What will be known and asked.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = ExperienceReplayLearner(nn.Linear(2, 1), buffer_size=4, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = ExperienceReplaySettings
    settings: ExperienceReplaySettings

    def __init__(
        self,
        module: nn.Module,
        settings: ExperienceReplaySettings | Mapping[str, Any] | None = None,
        *,
        buffer_size: int = 500,
        weight: float | Literal["equal"] = "equal",
        scenario: Scenario = "class",
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(ExperienceReplaySettings, settings, locals())
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
        past, weight = self._remembered(), self.settings.weight
        return StandardObjective(self._standard, self.training, self.criterion, past=past, weight=weight)


METHODS = (Method("er", "ER", ExperienceReplayLearner),)
