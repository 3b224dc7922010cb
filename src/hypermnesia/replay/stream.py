"""Batches of replayed inputs, one for each step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hypermnesia.replay.model import ReplayModel
from hypermnesia.seeds import Seeds
from hypermnesia.standard import Past, PastBatch

Label = Callable[[Tensor, Tensor], Tensor]
"""Function of replayed inputs `[n, ...]` and the task of each `[n]` that returns their targets, `[n, outputs]`."""

BATCHES_IN_A_BLOCK = 50
"""Number of batches made at a time."""


class ReplayStream(Past):
    """Replayed inputs of all past tasks in equal shares, a batch for each step.

    They are made in blocks of many batches, so that a past task's network is generated once a block: a step costs
    hardly more with a hundred past tasks than with one. Batch `i` depends on the seeds and on `i` only.

    Args:
        model: Replay model, which replays past tasks as it did before the current one.
        batch_size: Number of inputs in a batch.
        label: Function that gives the targets of replayed inputs.
        seeds: Seeds of the noise.
    """

    def __init__(self, model: ReplayModel, batch_size: int, label: Label, seeds: Seeds) -> None:
        self._model = model
        self._batch_size = batch_size
        self._label = label
        self._seeds = seeds
        self._number: int | None = None
        self._draw(0)
        self._batch = PastBatch(*(part[0].clone() for part in self._block))

    def prepare(self, iteration: int) -> None:
        """Make the batch of a step available."""
        number, place = divmod(iteration, BATCHES_IN_A_BLOCK)
        if number != self._number:
            self._draw(number)
        for current, part in zip(self._batch, self._block, strict=True):
            current.copy_(part[place])

    def batch(self, current: Tensor | None = None) -> PastBatch:
        """Return the batch of the prepared step; every step uses the same storage."""
        return self._batch

    @torch.no_grad()
    def _draw(self, number: int) -> None:
        """Make a block of batches."""
        model, num_tasks = self._model, self._model.num_tasks
        size = BATCHES_IN_A_BLOCK * self._batch_size
        latents = model.latents(size, self._seeds.child("replay", number).generator())
        # In turns, from where the last block stopped: equal shares, also of more tasks than a batch has inputs.
        tasks = (torch.arange(size, device=latents.device) + number * size) % num_tasks
        inputs = latents.new_empty(size, *model.input_shape)
        for task in range(num_tasks):
            chosen = tasks == task
            inputs[chosen] = model.replay(task, latents[chosen])
        parts = (inputs, self._label(inputs, tasks), tasks)
        self._block = [part.unflatten(0, (BATCHES_IN_A_BLOCK, self._batch_size)) for part in parts]
        self._number = number
