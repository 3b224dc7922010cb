"""Fine-tuning: the lower bound of continual learning, in which nothing keeps old tasks."""

from __future__ import annotations

from hypermnesia.criteria import ANY
from hypermnesia.learners.method import Method
from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.standard import StandardObjective
from hypermnesia.training.objective import Objective


class FineTuningLearner(StandardNetworkLearner):
    """One standard network learns task after task, and nothing keeps it from forgetting; the lower bound.

    Args:
        module, settings, scenario, criterion, metric, training, seed, device: As for :class:`StandardNetworkLearner`.

    Source: van de Ven and Tolias, Three scenarios for continual learning, 2019 ("none").

    Example:
        >>> import torch
        >>> from torch import nn
        >>> learner = FineTuningLearner(nn.Linear(2, 1), training={"iterations": 100, "learning_rate": 0.02})
        >>> learner.learn((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])))
        >>> learner.predict(torch.tensor([[0.0, 1.0]])).labels.tolist()
        [1]
    """

    learns = ANY
    plain_labels_only = False

    def _objective(self) -> Objective:
        return StandardObjective(self._standard, self.training, self.criterion)


METHODS = (Method("fine-tuning", "fine-tuning", FineTuningLearner),)
