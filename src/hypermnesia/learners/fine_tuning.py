"""Fine-tuning: the lower bound of continual learning, in which nothing keeps old tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hypermnesia.learners.method import Method
from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.problems import BOTH
from hypermnesia.settings import NoSettings, chosen
from hypermnesia.standard import StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective


class FineTuningLearner(StandardNetworkLearner):
    """One standard network learns task after task, and nothing keeps it from forgetting; the lower bound.

    Source: van de Ven and Tolias, Three scenarios for continual learning, 2019 ("none").

    Args:
        module: Network that ends in a linear layer, which becomes a growing head. It is copied, not changed.
        settings: There are none to choose.
        scenario: What will be known and asked.
        training: Optimizer, schedule, batches: settings, or their fields as a dict; None for the defaults.
        seed: Root of all randomness in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.

    Example:
        >>> learner = FineTuningLearner(nn.Linear(2, 1), training={"iterations": 100, "learning_rate": 0.02})
        >>> learner.learn((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])))
        >>> learner.predict(torch.tensor([[0.0, 1.0]])).labels.tolist()
        [1]
    """

    problems = BOTH

    def __init__(
        self,
        module: nn.Module,
        settings: NoSettings | Mapping[str, Any] | None = None,
        *,
        scenario: Scenario = "class",
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(NoSettings, settings, locals())
        super().__init__(module, settings, scenario=scenario, training=training, seed=seed, device=device)

    def _objective(self) -> Objective:
        return StandardObjective(self._standard, self.training, self.problem)


METHODS = (Method("fine-tuning", "fine-tuning", FineTuningLearner),)
