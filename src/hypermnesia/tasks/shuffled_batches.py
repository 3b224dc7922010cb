"""The order of examples in training: each epoch a new permutation of all of them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Int64
from torch import Tensor

from hypermnesia.seeds import Seeds


def shuffled_batches(
    length: int, batch_size: int, seeds: Seeds, start: int = 0, device: torch.device | str = "cpu"
) -> Iterator[Int64[Tensor, " batch"]]:
    """Return endless batches of indices, epoch after epoch, each epoch a new permutation of all of them.

    Nothing is dropped: where an epoch ends inside a batch, the next one fills it. So all batches have the same size,
    `min(batch_size, length)`, and batch `k` depends on the arguments and `k` only: a run can continue at any `start`
    without going through earlier batches.

    Args:
        length: Number of examples.
        batch_size: Largest number of examples in a batch.
        seeds: Seeds of the permutations.
        start: Number of the first batch wanted.
        device: Device of the indices; they are moved once an epoch.

    Example:
        >>> batches = shuffled_batches(5, 3, Seeds(0))
        >>> sorted(torch.cat([next(batches) for _ in range(5)]).tolist())
        [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    """

    def permutation(epoch: int) -> Tensor:
        # Drawn on the CPU: the same order on every device.
        return torch.randperm(length, generator=seeds.child("epoch", epoch).generator()).to(device)

    size = min(batch_size, length)
    epoch, position = divmod(start * size, length)
    order = permutation(epoch)
    while True:
        batch = order[position : position + size]
        position += size
        if position >= length:
            epoch, position = epoch + 1, position - length
            order = permutation(epoch)
            if position:
                batch = torch.cat([batch, order[:position]])
        yield batch
