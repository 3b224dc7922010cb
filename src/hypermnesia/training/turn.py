"""Turns of threads: what a learner does at a time is one thing, a step or an answer."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable


class Turn:
    """A lock that threads get in the order in which they ask, and that its holder may take again.

    A module holds its weights, its modes and its statistics for everybody who calls it. So a learner's steps and
    answers take turns; a thread that learns step after step, and asks again at once, lets those that wait go first.

    Example:
        >>> turn = Turn()
        >>> with turn, turn:
        ...     pass
    """

    def __init__(self) -> None:
        self._queue, self._lock = threading.Lock(), threading.Lock()
        self._holder: int | None = None
        self._times = 0

    def __enter__(self) -> Turn:
        if self._holder != threading.get_ident():
            # Whoever is first in the queue waits for the lock there, and keeps others from overtaking.
            with self._queue:
                self._lock.acquire()
            self._holder = threading.get_ident()
        self._times += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._times -= 1
        if self._times == 0:
            self._holder = None
            self._lock.release()


@runtime_checkable
class _TakesTurns(Protocol):
    _turn: Turn


Taking = TypeVar("Taking", bound=_TakesTurns)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def in_turn(
    method: Callable[Concatenate[Taking, Arguments], Result],
) -> Callable[Concatenate[Taking, Arguments], Result]:
    """Let a method wait for its object's turn (`_turn`).

    Example:
        >>> class Counter:
        ...     def __init__(self):
        ...         self._turn, self.count = Turn(), 0
        ...     @in_turn
        ...     def add(self):
        ...         self.count += 1
    """

    @functools.wraps(method)
    def waiting(self: Taking, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with self._turn:
            return method(self, *args, **kwargs)

    return waiting
