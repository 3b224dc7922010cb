"""The loss of a task as a function of generated weights, and the embedding to begin with by that loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hypermnesia import parallel
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.inputs import Inputs
from hypermnesia.modules import Result
from hypermnesia.seeds import Seeds
from hypermnesia.training.objective import Batches, Portion

Loss = Callable[[dict[str, Tensor], Inputs, Tensor], tuple[Tensor, dict[str, Tensor]]]
"""Function of generated weights by name, this rank's inputs, and the labels of the whole batch, that returns what these
inputs add to the task loss of the batch, and to scalars to report."""


Hold = Callable[[dict[str, Tensor], Callable[[], Any]], Any]
"""Function that calls another while a module has these weights and statistics by name, and returns its result."""


class TaskLoss:
    """Loss of a task as a function of generated weights, which the module holds until its gradient is there.

    Where a batch is divided over ranks, it is what the share of this one adds to the loss.

    Parts of a module that are computed again in the backward pass (`torch.utils.checkpoint`) take the weights that the
    module has then: they must be the generated ones still.

    Args:
        loss: Function of all weights and statistics by name, inputs and labels.
        of_task: Statistics of the task, and parameters of its own.
        hold: Calls a function while the module has these weights and statistics.
    """

    def __init__(self, loss: Loss, of_task: dict[str, Tensor], hold: Hold) -> None:
        self._loss = loss
        self._of_task = of_task
        self._hold = hold

    def __call__(self, weights: dict[str, Tensor], inputs: Inputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of generated weights, and scalars to report."""
        return self._loss({**weights, **self._of_task}, parallel.share(inputs), labels)

    def statistics(self) -> list[Tensor]:
        """Return the statistics of the task."""
        return [tensor for _, tensor in sorted(self._of_task.items()) if not isinstance(tensor, nn.Parameter)]

    def holding(self, weights: dict[str, Tensor], action: Callable[[], Result]) -> Result:
        """Call a function while the module holds generated weights."""
        result: Result = self._hold({**weights, **self._of_task}, action)
        return result

    def accumulate_gradients(
        self, weights: Mapping[str, Tensor], inputs: Inputs, labels: Tensor, portion: Portion
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the gradient of the loss to `.grad` of all that the weights were generated from.

        Returns:
            Loss, detached, and scalars to report.
        """
        gradients, loss, scalars = self.gradients(weights, inputs, labels, portion)
        torch.autograd.backward([weights[name] for name in gradients], list(gradients.values()))
        return loss, scalars

    def gradients(
        self, weights: Mapping[str, Tensor], inputs: Inputs, labels: Tensor, portion: Portion
    ) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """Return the gradient of the loss by each generated weight that it reaches, the loss, detached, and scalars.

        What is not generated gets its gradient in `.grad`.
        """
        # As leaves: some backward passes inside of the module end there, so that what is behind them is passed once.
        leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}

        def to_the_leaves() -> tuple[Tensor, dict[str, Tensor]]:
            loss, scalars = self(leaves, inputs, labels)
            portion.loss(loss).backward()
            return loss.detach(), scalars

        loss, scalars = self.holding(leaves, to_the_leaves)
        reached = {name: _dense(leaf.grad) for name, leaf in leaves.items() if leaf.grad is not None}
        return reached, loss, scalars


def _dense(gradient: Tensor) -> Tensor:
    return gradient if gradient.layout is torch.strided else gradient.to_dense()


class EmbeddingChoice:
    """Choice of where the newest task begins: of several drawn embeddings the one whose network fits best.

    The first candidate is the embedding that the task has already.

    Args:
        hypernetwork: Hypernetwork whose newest task begins.
        further: Number of candidates beside the first.
        seeds: Seeds of the candidates.
        statistics: Tensors of the task that its loss changes, such as those of batch normalization; they are put back.
    """

    def __init__(self, hypernetwork: Hypernetwork, further: int, seeds: Seeds, statistics: Sequence[Tensor]) -> None:
        self._hypernetwork = hypernetwork
        self._further = further
        self._seeds = seeds
        self._statistics = list(statistics)

    def __call__(self, loss: Loss, batches: Batches) -> None:
        """Give the task the embedding whose network has the least loss on some batches."""
        if self._further == 0:
            return
        embedding = self._hypernetwork.task_embeddings[-1].detach()
        generator = self._seeds.child("candidates").generator()
        drawn = torch.randn(self._further, len(embedding), dtype=torch.float32, generator=generator).to(embedding)
        candidates = torch.cat([embedding[None], drawn])
        before = [tensor.clone() for tensor in self._statistics]
        losses = []
        for candidate in candidates:  # one after another, so that memory does not grow
            with torch.no_grad():
                weights = self._hypernetwork.generate(candidate)
            losses.append(torch.stack([loss(weights, *batch)[0].detach() for batch in batches]).sum())
        for tensor, value in zip(self._statistics, before, strict=True):
            tensor.copy_(value)
        embedding.copy_(candidates[parallel.summed(torch.stack(losses)).nan_to_num(torch.inf).argmin()])
