"""Several things learned from the same batches at the same time."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia.training.trainer import Objective


class CombinedObjective(Objective):
    """Objectives with parameters of their own, learned in the same steps.

    The optimizers there are treat every parameter by itself, so each objective is learned as if it were alone; only
    `clip_norm` looks at all gradients together.

    Args:
        main: What a step reports under plain names, as `accuracy`.
        others: What it reports under their names, as `replay/loss`. `loss` is the sum of all.
    """

    def __init__(self, main: Objective, others: Mapping[str, Objective]) -> None:
        self._main, self._others = main, dict(others)

    def parameters(self) -> list[nn.Parameter]:
        """Those of all."""
        return [p for objective in (self._main, *self._others.values()) for p in objective.parameters()]

    def prepare(self, iteration: int) -> None:
        """Let each make its random choices."""
        for objective in (self._main, *self._others.values()):
            objective.prepare(iteration)

    def accumulate_gradients(self, inputs: Tensor, labels: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        """Add the gradients of all to `.grad`; returns what all report."""
        scalars = self._main.accumulate_gradients(inputs, labels, optimizer)
        loss = scalars["loss"]
        for name, objective in self._others.items():
            reported = objective.accumulate_gradients(inputs, labels, optimizer)
            loss = loss + reported["loss"]
            scalars |= {f"{name}/{key}": value for key, value in reported.items()}
        return {**scalars, "loss": loss}
