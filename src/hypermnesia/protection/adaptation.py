"""Learning a task with nothing but its embedding: what is generated for other tasks cannot change."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.protection.objective import Loss
from hypermnesia.training.trainer import Objective


class AdaptationObjective(Objective):
    """L_task(Θ_h, e^(T)), by e^(T) alone. Without a regularizer: there is nothing to keep where Θ_h does not move.

    Args:
        hypernetwork: The newest task is the one to learn.
        loss: L_task, a function of the generated weights.
    """

    def __init__(self, hypernetwork: Hypernetwork, loss: Loss) -> None:
        self._hypernetwork = hypernetwork
        self._loss = loss
        self._theta = {name: parameter.detach() for name, parameter in hypernetwork.shared_parameters().items()}
        self._embedding = hypernetwork.task_embeddings[-1]

    def parameters(self) -> list[nn.Parameter]:
        """The current task's embedding."""
        return [self._embedding]

    def prepare(self, iteration: int) -> None:
        """Nothing is chosen at random."""

    def accumulate_gradients(self, inputs: Tensor, labels: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        """Add the gradient to `.grad` of the embedding; returns loss and what the loss reports."""
        loss, scalars = self._loss(self._hypernetwork.generate(self._embedding, self._theta), inputs, labels)
        loss.backward()
        return {"loss": loss.detach(), **{name: scalar.detach() for name, scalar in scalars.items()}}
