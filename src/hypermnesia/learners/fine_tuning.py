"""Fine-tuning: the lower target of continual learning, in which nothing keeps old tasks."""

from __future__ import annotations

from hypermnesia.learners.plain import PlainLearner
from hypermnesia.plain import PlainObjective
from hypermnesia.problems import BOTH
from hypermnesia.training.trainer import Objective


class FineTuningLearner(PlainLearner):
    """One plain network learns task after task, and nothing keeps it from forgetting; the lower target.

    Its arguments are those of :class:`PlainLearner`.

    Source: van de Ven and Tolias, Three scenarios for continual learning, 2019 ("none").

    Example:
        >>> import torch
        >>> learner = FineTuningLearner(torch.nn.Linear(2, 1), training={"iterations": 100, "learning_rate": 0.02})
        >>> learner.learn((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])))
        >>> learner.predict(torch.tensor([[0.0, 1.0]])).labels.tolist()
        [1]
    """

    problems = BOTH

    def _objective(self) -> Objective:
        return PlainObjective(self._plain, self.training, self.problem)
