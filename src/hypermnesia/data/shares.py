"""Shares of examples in which every class has its own."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from hypermnesia.seeds import Seeds


class Ranks(NamedTuple):
    """Examples in random order, each with its rank among those of its class, and with the size of the class."""

    order: Int64[Tensor, " n"]
    ranks: Int64[Tensor, " n"]
    sizes: Int64[Tensor, " n"]


def ranks_in_classes(classes: Int64[Tensor, " n"], seeds: Seeds) -> Ranks:
    """Put examples into random order, and count those of each class from 0.

    Example:
        >>> ranks_in_classes(torch.tensor([5, 5, 7]), Seeds(0))
        Ranks(order=tensor([2, 1, 0]), ranks=tensor([0, 0, 1]), sizes=tensor([1, 2, 2]))
    """
    order = torch.randperm(len(classes), generator=seeds.generator())
    _, classes, sizes = classes[order].unique(return_inverse=True, return_counts=True)
    by_class = classes.argsort(stable=True)
    ranks = torch.empty_like(classes)
    ranks[by_class] = torch.arange(len(classes)) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    return Ranks(order, ranks, sizes[classes])


def share_for_testing(classes: Int64[Tensor, " n"], share: float) -> Bool[Tensor, " n"]:
    """Choose test examples: of every class the same share, at least one if it has two, and never all.

    The same ones whatever the seed of an experiment, so that what is measured with several seeds can be compared.

    Args:
        classes: Class of each example.
        share: Share of the test examples, between 0 and 1.
    """
    order, ranks, sizes = ranks_in_classes(classes.cpu(), Seeds(0).child("test"))
    counts = (share * sizes).round().clamp(min=1).minimum(sizes - 1)
    chosen = torch.zeros(len(classes), dtype=torch.bool)
    chosen[order[ranks < counts]] = True
    return chosen.to(classes.device)
