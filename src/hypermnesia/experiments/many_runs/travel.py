"""Run directories that go from one machine to another, each file with its checksum. Imports no torch."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

from hypermnesia.errors import CheckpointError
from hypermnesia.files import remove_left_behind, write_atomically

_CHECKPOINTS, _SUMMARY = "checkpoint/", "summary.json"


@dataclasses.dataclass(frozen=True)
class Parcel:
    """Files of a directory, as they were.

    Args:
        checksums: SHA-256 of every file, by its path in the directory.
        contents: Bytes of those files that the receiver does not have.
    """

    checksums: Mapping[str, str]
    contents: Mapping[str, bytes]


def pack(directory: Path, have: Mapping[str, str] | None = None) -> Parcel:
    """The files of a run directory, also of one that is being written to.

    Checkpoints are read first: what a run has recorded then goes as far as they do, or further, and is cut back to
    them where the run goes on.

    Args:
        directory: Need not exist.
        have: Checksums of what the receiver has.

    Example:
        >>> pack(Path("nowhere"))
        Parcel(checksums={}, contents={})
    """
    names = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()]
    checksums, contents = {}, {}
    for name in sorted(names, key=lambda name: (not name.startswith(_CHECKPOINTS), name)):
        # Hidden: the lock, and files that are being written aside.
        if not Path(name).name.startswith("."):
            with contextlib.suppress(FileNotFoundError):  # an old checkpoint, removed in the meantime
                data = (directory / name).read_bytes()
                checksums[name] = hashlib.sha256(data).hexdigest()
                if (have or {}).get(name) != checksums[name]:
                    contents[name] = data
    return Parcel(checksums, contents)


def unpack(parcel: Parcel, directory: Path) -> None:
    """Write a parcel's files, so that the directory can be gone on from whenever this process is killed.

    Checkpoints come after what they refer to, and what says that the run is finished comes last.

    Raises:
        CheckpointError: A file is not what was sent; nothing is written.
    """
    for name, data in parcel.contents.items():
        if hashlib.sha256(data).hexdigest() != parcel.checksums[name]:
            raise CheckpointError(f"{name} of {directory} was damaged on its way here.")
    last = {_SUMMARY: 2}
    for name in sorted(parcel.contents, key=lambda name: last.get(name, int(name.startswith(_CHECKPOINTS)))):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, parcel.contents[name])
    remove_left_behind(directory)
    for old in (directory / _CHECKPOINTS).glob("*"):
        if f"{_CHECKPOINTS}{old.name}" not in parcel.checksums:
            old.unlink()
