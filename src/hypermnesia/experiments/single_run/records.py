"""A run's measurements: one JSON object a line, which can be cut back to a checkpoint, and for TensorBoard."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from hypermnesia.errors import CheckpointError


class Records:
    """Measurements in the order they were made.

    Records hold no times, so that two runs of one experiment write the same bytes, interrupted or not.

    Args:
        path: The file; made if it does not exist.
        position: Its length in bytes when the checkpoint to go on from was made. What comes later is cut off.

    Raises:
        CheckpointError: The file is shorter than that.
    """

    def __init__(self, path: Path, position: int = 0) -> None:
        self._file = path.open("ab")
        if (length := self._file.tell()) < position:
            self._file.close()
            raise CheckpointError(
                f"{path} has {length} bytes but had {position} when the checkpoint was made: it was changed or "
                "cut short. Put it back, or start again (overwrite)."
            )
        if length > position:
            self._file.truncate(position)

    def add(self, **record: str | int | float) -> None:
        """Append one record."""
        self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        self._file.flush()  # so that a full disk is noticed here, and the file can be followed

    def sync(self) -> int:
        """Make sure that everything is on the disk; returns the position."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._file.close()


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
