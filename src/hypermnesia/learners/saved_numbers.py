"""Numbers in a saved state that somebody may have changed: those that no learner can have are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from hypermnesia.errors import CheckpointError, shown

_MOST = 2**31 - 1
_NOT_NEGATIVE = {"importance", "spread", "step", "exp_avg_sq", "max_exp_avg_sq"}
"""Tensors, or what holds them, of squares and counts."""


def check_numbers(state: Mapping[str, Any]) -> None:
    """Refuse counts, sizes and numbers of tasks that cannot be, whose types are right.

    Args:
        state: What `ContinualLearner.state_dict` returns.

    Raises:
        CheckpointError: A number is negative or too large, or there is no such task.
    """
    tasks = len(state["learned"])
    for place, value in _leaves(state):
        if isinstance(value, Tensor):
            squares = not _NOT_NEGATIVE.isdisjoint(place)
            labels = "kept" in place and not value.is_floating_point()
            if value.numel() and (squares or labels) and bool(value.min() < 0):
                raise CheckpointError(f"{_name(place)} is negative in the saved state, and cannot be")
        elif isinstance(value, int) and not isinstance(value, bool):
            most = tasks if place[-1] == "current" or place[-2:] == ("current", "number") else _MOST
            if not 0 <= value <= most:
                raise CheckpointError(
                    f"{_name(place)} is {shown(value)} in the saved state, and must be from 0 to {most:,}"
                )


def _leaves(node: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, (*place, key))
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from _leaves(value, (*place, number))
    else:
        yield place, node


def _name(place: tuple[str | int, ...]) -> str:
    return ".".join(map(str, place))
