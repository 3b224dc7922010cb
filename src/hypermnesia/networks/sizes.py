"""Numbers of weights of multilayer perceptrons, and the widths that give a wanted number."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence


def num_weights(inputs: int, hidden: Sequence[int], outputs: int) -> int:
    """Count the weights and biases of an `mlp` of these widths.

    Args:
        inputs: Number of elements of one input.
        hidden: Width of each hidden layer.
        outputs: Width of the last layer.

    Example:
        >>> from hypermnesia.networks import mlp
        >>> num_weights(64, (100, 50), 2), sum(p.numel() for p in mlp(64, (100, 50), 2).parameters())
        (11652, 11652)
    """
    return sum((width_in + 1) * width_out for width_in, width_out in itertools.pairwise([inputs, *hidden, outputs]))


def widths_of_size(inputs: int, hidden: Sequence[int], outputs: Sequence[int], size: int) -> tuple[int, ...] | None:
    """Scale the hidden widths of several networks by one factor, so that together they come nearest to a size.

    Args:
        inputs: Number of elements of one input.
        hidden: Widths to scale; at least one.
        outputs: Number of outputs of each network.
        size: Wanted number of weights and biases of all networks together.

    Returns:
        Width of each hidden layer; None if networks of width one already have more.

    Example:
        >>> widths_of_size(64, (100, 50), [2, 2], size=2000)
        (14, 7)
        >>> 2 * num_weights(64, (14, 7), 2)
        2062
    """

    def scaled(widest: int) -> tuple[int, ...]:
        return tuple(max(1, round(widest * width / max(hidden))) for width in hidden)

    def together(widest: int) -> int:
        return sum(num_weights(inputs, scaled(widest), each) for each in outputs)

    if together(1) > size:
        return None
    # Each unit has a weight of its own, so none is wider than there are weights.
    above = 1 + bisect.bisect_left(range(1, size + 1), size, key=together)
    return scaled(min(max(1, above - 1), above, key=lambda widest: abs(together(widest) - size)))
