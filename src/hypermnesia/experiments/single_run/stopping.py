"""Interrupting a run from outside without losing anything."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType

if sys.platform == "win32":
    STOP = signal.SIGBREAK
else:
    STOP = signal.SIGTERM
"""Signal by which one process asks another to stop: Windows' SIGTERM only ends one."""


class StopSignals:
    """While entered, the first Ctrl-C or `STOP` only asks to stop; a second one acts at once, as ever.

    Calling it tells whether the process has been asked to stop. Use it in the main thread, where Python handles
    signals.

    Example:
        >>> with StopSignals() as stop:
        ...     signal.raise_signal(STOP)
        ...     stop(), stop.received == STOP
        (True, True)
    """

    received: signal.Signals | None = None

    def __enter__(self) -> StopSignals:
        self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, STOP)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()

    def __call__(self) -> bool:
        return self.received is not None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
