"""Choosing fewer training examples, of which every class keeps its share."""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor

from hypermnesia.criteria import Targets, label_kind
from hypermnesia.data.shares import ranks_in_classes
from hypermnesia.errors import ConfigurationError, note
from hypermnesia.seeds import Seeds


def choose_few(
    labels: Targets, examples: int | float | None, seeds: Seeds, task: str
) -> Int64[Tensor, " chosen"] | None:
    """Choose examples at random, of each class as nearly as possible the same share, at least one where they suffice.

    Of two choices from the same seeds, the fewer examples are among the more.

    Args:
        labels: Labels of all examples: classes `[n]`, or regression targets `[n, targets]`, which have no shares.
        examples: Number of examples to choose, or, between 0 and 1, their fraction; None for all.
        seeds: Seeds of the random choice.
        task: Name of the task, for errors and notes.

    Returns:
        Indices of the chosen examples, in their old order; None for all. A note says so where classes
        are left without any.

    Raises:
        ConfigurationError: There are not that many examples.

    Example:
        >>> labels = torch.tensor([0, 0, 0, 0, 1, 1])
        >>> labels[choose_few(labels, 0.5, Seeds(0), "coins")].tolist()
        [0, 0, 1]
    """
    if examples is None:
        return None
    count = _count(examples, len(labels), task)
    classes = torch.zeros(len(labels), dtype=torch.int64) if label_kind(labels) == "numbers" else labels.cpu()
    chosen = _by_share(classes, seeds)[:count].sort().values
    before, after = len(classes.unique()), len(classes[chosen].unique())
    if after < before:
        note(f"Task '{task}': {count} training examples leave {before - after} of its {before} classes without any.")
    return chosen.to(labels.device)


def _count(examples: int | float, total: int, task: str) -> int:
    if isinstance(examples, float) and examples == 1:
        raise ConfigurationError("examples=1.0 may mean one or all: give 1 for one, or leave it out for all.")
    count = round(examples * total) if 0 < examples < 1 else examples
    if count not in range(1, total + 1):
        raise ConfigurationError(
            f"examples={examples} cannot be chosen from the {total} training examples of task '{task}': give a"
            f" whole number from 1 to {total}, a fraction that comes to at least one example, or leave it out for all."
        )
    return int(count)


def _by_share(classes: Int64[Tensor, " n"], seeds: Seeds) -> Int64[Tensor, " n"]:
    """All indices in an order of which each beginning has every class in its share: by rank within the class."""
    order, ranks, sizes = ranks_in_classes(classes, seeds)
    return order[(ranks / sizes).argsort(stable=True)]
