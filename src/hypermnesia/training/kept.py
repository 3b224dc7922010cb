"""Networks of tasks as modules that answer at once, kept as long as nothing changes."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

MOST_BYTES = 2**28
"""Bytes of networks that one part of a learner keeps for its answers, at most."""


class KeptNetworks:
    """Networks of tasks, made when one is asked for and kept for the next time, while there is room for them.

    Args:
        make: Makes the network of a task by its number, in evaluation mode; returns it with its own bytes.
        at_most: Bytes to keep; those that were asked for longest ago make room for others.

    Attributes:
        num_bytes: Bytes that are kept.

    Example:
        >>> kept = KeptNetworks(lambda task: (nn.Linear(2, task + 1), 8))
        >>> kept.of(3) is kept.of(3), kept.num_bytes
        (True, 8)
    """

    def __init__(self, make: Callable[[int], tuple[nn.Module, int]], at_most: int = MOST_BYTES) -> None:
        self._make, self._at_most = make, at_most
        self._networks: dict[int, tuple[nn.Module, int]] = {}
        self.num_bytes = 0

    def of(self, task: int, *, one_of_all: bool = False) -> nn.Module:
        """Return the network of a task.

        Args:
            task: Its number.
            one_of_all: Whether all tasks are asked one after another. If there is no room for all, each would make room
                for the next, and none be there when it is asked for again: so none is dropped then.
        """
        found = self._networks.pop(task, None)
        if found is not None:
            self._networks[task] = found  # the last that will be dropped
            return found[0]
        network, num_bytes = self._make(task)
        if one_of_all and self.num_bytes + num_bytes > self._at_most:
            return network
        self._networks[task] = network, num_bytes
        self.num_bytes += num_bytes
        while self.num_bytes > self._at_most:
            self.num_bytes -= self._networks.pop(next(iter(self._networks)))[1]
        return network

    def clear(self) -> None:
        """Drop all: what they were made from has changed, or is about to."""
        self._networks.clear()
        self.num_bytes = 0
