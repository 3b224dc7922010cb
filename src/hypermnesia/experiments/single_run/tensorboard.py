"""A run's measurements for TensorBoard, where that is installed."""

from __future__ import annotations

import threading
from pathlib import Path


class TensorBoard:
    """Writes event files; does nothing if TensorBoard (the extra `hypermnesia[tensorboard]`) is not installed.

    Args:
        directory: Where to.
        step: Where the run stands. Events of later steps, left by a killed run, no longer show.
    """

    def __init__(self, directory: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._writer = None
            return
        self._hook = threading.excepthook
        threading.excepthook = self._on_thread_error
        self._writer = SummaryWriter(directory, purge_step=step + 1)

    def add(self, name: str, value: float, step: int) -> None:
        """One point of the curve of that name."""
        if self._writer:
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write what has been added so far."""
        if self._writer:
            self._writer.flush()

    def close(self) -> None:
        """Write the rest and end."""
        if self._writer:
            try:
                self._writer.close()
            finally:
                threading.excepthook = self._hook

    def _on_thread_error(self, error: threading.ExceptHookArgs) -> None:
        # The writer has a thread of its own; what goes wrong there (a full disk) is raised again by the next call in
        # ours, so it need not be printed as well.
        if not issubclass(error.exc_type, OSError):
            self._hook(error)
