"""Ctrl-C that waits for the end of a step, so that learning goes on later as if it had not been stopped."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupts:
    """While entered, Ctrl-C amid a step takes effect after it; a second one acts at once, as ever.

    It leaves signals alone outside of the main thread, where Python handles none, and where somebody else handles
    Ctrl-C.

    Example:
        >>> done = []
        >>> with contextlib.suppress(KeyboardInterrupt), Interrupts() as interrupts, interrupts.held():
        ...     signal.raise_signal(signal.SIGINT)
        ...     done.append("the step")
        >>> done
        ['the step']
    """

    def __init__(self) -> None:
        self._handles = False
        self._amid_step = self._pending = False

    def __enter__(self) -> Interrupts:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            self._handles = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._handles:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let Ctrl-C wait until what is done here is done.

        Raises:
            KeyboardInterrupt: There was one; raised at the end.
        """
        self._amid_step = True
        try:
            yield
        finally:
            self._amid_step = False
        if self._pending:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._amid_step or self._pending:
            raise KeyboardInterrupt
        self._pending = True
