"""A run's measurements: one JSON object a line, which can be cut back to a checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

from hypermnesia.errors import CheckpointError
from hypermnesia.files import named, open_regular

_REMEDY = "Put it back, or start again (overwrite)."


@dataclasses.dataclass(frozen=True)
class Position:
    """Place in a file, and the checksum of what is before it.

    Args:
        length: Bytes before it.
        sha256: Their SHA-256.
    """

    length: int = 0
    sha256: str = hashlib.sha256().hexdigest()


class Records:
    """Measurements in the order they were made.

    Records hold no times, so that two runs of one experiment write the same bytes, interrupted or not.

    Args:
        path: The file; made if it does not exist.
        position: Where it ended when the checkpoint to go on from was made. What comes later is cut off.

    Raises:
        CheckpointError: The file does not begin with what it held then.
    """

    def __init__(self, path: Path, position: Position = Position()) -> None:
        self._path, self._digest = path, hashlib.sha256()
        if position.length:
            self._read(path, position)
        self._file = path.open("ab")
        if self._file.tell() > position.length:
            self._file.truncate(position.length)

    def _read(self, path: Path, position: Position) -> None:
        left = position.length
        try:
            with open_regular(path, within=path.parent) as file:
                while left and (piece := file.read(min(left, 1 << 20))):
                    self._digest.update(piece)
                    left -= len(piece)
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}. {_REMEDY}") from error
        if left or self._digest.hexdigest() != position.sha256:
            raise CheckpointError(
                f"{path} does not begin with the {position.length:,} bytes that it had when the checkpoint was made: it"
                f" was changed or cut short. {_REMEDY}"
            )

    def add(self, **record: str | int | float) -> None:
        """Append one record."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with named(self._path):
            self._file.write(line)
            self._file.flush()  # so that a full disk is noticed here, and the file can be followed
        self._digest.update(line)

    def sync(self) -> Position:
        """Make sure that everything is on the disk; returns the position."""
        with named(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return Position(self._file.tell(), self._digest.hexdigest())

    def close(self) -> None:
        """Write what is left and close the file."""
        with named(self._path):
            self._file.close()
