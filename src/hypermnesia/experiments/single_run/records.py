"""The file of a run's measurements, one JSON object a line; it can be cut back to where a checkpoint was made."""

from __future__ import annotations

import json
import os
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
