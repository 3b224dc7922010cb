"""Setting some training examples aside for validation."""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor

from hypermnesia.data.shares import ranks_in_classes
from hypermnesia.errors import ConfigurationError
from hypermnesia.seeds import Seeds


def set_aside(
    rows: Int64[Tensor, " rows"], validation: int | float, seeds: Seeds, classes: Int64[Tensor, " rows"] | None = None
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " validation"] | None]:
    """Divide `rows` into training and validation examples at random, both in their old order.

    Args:
        rows: Indices of all examples.
        validation: Number of examples to set aside, or, between 0 and 1, their fraction.
        seeds: Seeds of the random choice.
        classes: Class of each example, if every class is to give its share: a class so small that its share is less
            than one example gives none before all others have given theirs. None draws from all alike.

    Returns:
        Rows for training, and rows for validation: None where none are wanted.

    Raises:
        ConfigurationError: That many cannot be set aside.

    Example:
        >>> [part.tolist() for part in set_aside(torch.arange(4), 0.25, Seeds(0))]
        [[0, 1, 3], [2]]
    """
    if not isinstance(validation, int | float):
        raise ConfigurationError(f"validation must be a number of examples, or a fraction, not {validation!r}")
    total = len(rows)
    count = round(validation * total) if 0 < validation < 1 else validation
    if count not in range(total) or (count == 0 and validation != 0):
        raise ConfigurationError(
            f"validation={validation} cannot be set aside from a task's {total} training examples: give a "
            f"whole number up to {total - 1} or a fraction below 1 that comes to at least one example."
        )
    if count == 0:
        return rows, None
    chosen = torch.zeros(total, dtype=torch.bool)
    chosen[_drawn(total, seeds, classes)[: int(count)]] = True
    chosen = chosen.to(rows.device)
    return rows[~chosen], rows[chosen]


def _drawn(total: int, seeds: Seeds, classes: Tensor | None) -> Int64[Tensor, " rows"]:
    """All examples in the order in which they are set aside."""
    if classes is None:
        return torch.randperm(total, generator=seeds.generator())
    order, ranks, sizes = ranks_in_classes(classes.cpu(), seeds)
    return order[((ranks + 1) / sizes).argsort(stable=True)]
