"""An objective made of several objectives, which learn from the same batches at the same time."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia.training.trainer import Objective


class CombinedObjective(Objective):
    """Combined objective: several objectives, each with parameters of its own, learned in the same steps.

    All optimizers treat every parameter by itself, so each objective is learned as if it were alone; only `clip_norm`
    looks at all gradients together. The reported `loss` is the sum of all losses.

    Args:
        main: Objective whose scalars are reported under their own names, such as `accuracy`.
        others: Objectives by name, whose scalars are reported with the name in front, such as `replay/loss`.
    """

    def __init__(self, main: Objective, others: Mapping[str, Objective]) -> None:
        self._main, self._others = main, dict(others)

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters of all objectives."""
        return [p for objective in (self._main, *self._others.values()) for p in objective.parameters()]

    def prepare(self, iteration: int) -> None:
        """Let each objective make the random choices of a step."""
        for objective in (self._main, *self._others.values()):
            objective.prepare(iteration)

    def accumulate_gradients(self, inputs: Tensor, labels: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        """Add the gradients of all objectives to `.grad`; return the scalars of all."""
        scalars = self._main.accumulate_gradients(inputs, labels, optimizer)
        loss = scalars["loss"]
        for name, objective in self._others.items():
            reported = objective.accumulate_gradients(inputs, labels, optimizer)
            loss = loss + reported["loss"]
            scalars |= {f"{name}/{key}": value for key, value in reported.items()}
        return {**scalars, "loss": loss}
