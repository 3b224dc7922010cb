"""Time spent on working: not that for which a process was stopped, as by Ctrl-Z or SIGSTOP."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType


class Stopwatch:
    """Seconds of work from lap to lap. Used in the main thread, where Python handles signals.

    The system tells a process when it goes on, not when it was stopped: so what it does without a look at the watch
    counts up to the last look before the stop.

    Example:
        >>> with Stopwatch() as watch:
        ...     watch.look()
        ...     time.sleep(0.2)
        ...     signal.raise_signal(signal.SIGCONT)  # as if it had been stopped so long
        ...     watch.lap() < 0.2
        True
    """

    def __init__(self) -> None:
        self._begun = self._looked = time.perf_counter()
        self._stopped = 0.0
        self._handles = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Stopwatch:
        if sys.platform != "win32" and self._handles:  # Windows stops no process in this way
            self._before = signal.signal(signal.SIGCONT, self._go_on)
        return self

    def __exit__(self, *error: object) -> None:
        if sys.platform != "win32" and self._handles:
            signal.signal(signal.SIGCONT, self._before)

    def look(self) -> None:
        """Note that the process is at work at this moment."""
        self._looked = time.perf_counter()

    def lap(self) -> float:
        """Seconds of work since the last lap."""
        now = time.perf_counter()
        worked = now - self._begun - self._stopped
        self._begun = self._looked = now
        self._stopped = 0.0
        return worked

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        now = time.perf_counter()
        self._stopped += now - self._looked
        self._looked = now
