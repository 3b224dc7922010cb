"""How much each chunk of a network matters to past tasks, by which the output regularizer weighs chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from hypermnesia import parallel
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.inputs import Inputs
from hypermnesia.protection.task_loss import TaskLoss
from hypermnesia.training.given import check_shapes
from hypermnesia.training.objective import Portion

MEASURED_BATCHES = 16
"""Batches of a task by which it is measured: few, since a chunk has many weights."""


class ChunkImportance:
    """How much each chunk matters to past tasks: the size of their losses' gradients by its weights.

    Of a task, it is the root of the mean square of what batches give after the last step, divided by its mean over all
    chunks; of several, it is their mean: a number for each chunk, however many tasks there are. A forgotten task still
    counts, and one that was learned twice counts twice.

    Args:
        hypernetwork: Hypernetwork that generates the chunks.
    """

    def __init__(self, hypernetwork: Hypernetwork) -> None:
        self._hypernetwork = hypernetwork
        # Sum over tasks, of each of which the mean over chunks is one.
        self._sums: Tensor = hypernetwork.readout.new_zeros(hypernetwork.num_chunks)
        # Of the task that is measured: sum of squared gradients in each chunk.
        self._squares = torch.zeros_like(self._sums)

    @property
    def weights(self) -> Float[Tensor, " chunks"]:
        """Weight of each chunk, with a mean of one; all alike before any task was measured."""
        return _relative(self._sums)

    def measure(self, task: int, loss: TaskLoss, inputs: Inputs, labels: Tensor, portion: Portion) -> None:
        """Count a batch of a task, all of whose batches have one scale; statistics that its loss changes are put back.

        Args:
            task: Number of the task.
            loss: Its loss.
            inputs: Inputs of the batch.
            labels: Their labels.
            portion: Portion of all batches that this one is.
        """
        if portion.number == 0:
            self._squares = torch.zeros_like(self._sums)
        hypernetwork = self._hypernetwork
        with torch.no_grad():
            weights = hypernetwork(task)
        statistics = loss.statistics()
        before = [tensor.clone() for tensor in statistics]
        try:
            gradients, *_ = loss.gradients(weights, inputs, labels, portion)
        finally:  # also where somebody stops it, and learning goes on
            for tensor, value in zip(statistics, before, strict=True):
                tensor.copy_(value)
        flat = hypernetwork.layout.flatten({n: gradients.get(n, torch.zeros_like(w)) for n, w in weights.items()})
        chunks = functional.pad(parallel.summed(flat), (0, hypernetwork.surplus)).view(hypernetwork.num_chunks, -1)
        self._squares += chunks.square().sum(1).nan_to_num(0.0, 0.0)  # what overflows in float16 does not count

    def keep(self) -> None:
        """Let the task that was measured count among the past ones; all chunks alike, if it was not."""
        sizes = torch.full_like(self._squares, self._hypernetwork.chunk_size)
        sizes[-1] -= self._hypernetwork.surplus
        self._sums = self._sums + _relative((self._squares / sizes).sqrt())
        self._squares = torch.zeros_like(self._sums)

    def state(self) -> dict[str, Any]:
        """State between tasks; what was measured of one in progress is measured again."""
        return {"sums": self._sums}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave.

        Raises:
            CheckpointError: It is of another number of chunks.
        """
        check_shapes({"importance": self._sums.shape}, {"importance": state["sums"].shape})
        self._sums = state["sums"].to(self._sums, copy=True)


def _relative(numbers: Tensor) -> Tensor:
    """Numbers divided by their mean, or ones where all are zero."""
    mean = numbers.mean()
    return numbers / mean if mean > 0 else torch.ones_like(numbers)
