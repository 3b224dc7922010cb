"""Files that are written whole or not at all. Imports no torch, so that what only writes text starts at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hypermnesia.errors import CheckpointError

FORMAT = 5
"""Version of the layout of run directories and learner files; raised when older ones can no longer be read."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it holds, at any moment, either what it held before or all of `data`.

    Raises:
        OSError: It could not be written; what was there before remains.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # not every file system syncs directories
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


@contextlib.contextmanager
def say_what_cannot_be_written(path: str | Path) -> Iterator[None]:
    """Turn an error of the system into a sentence that names the file.

    Raises:
        CheckpointError: The file could not be written.
    """
    try:
        yield
    except OSError as error:
        folder = Path(path).absolute().parent
        advice = "" if folder.is_dir() else f"; there is no folder {folder}: make it first"
        raise CheckpointError(f"{path} cannot be written: {error.strerror or error}{advice}") from error


def write_formats(directory: Path, name: str, contents: Mapping[str, bytes]) -> list[Path]:
    """Write one thing in several formats, as NAME.ENDING side by side.

    Args:
        directory: Must exist.
        name: Name of all files.
        contents: Bytes by ending, which is given without the dot.

    Returns:
        Paths of the files.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    paths = [directory / f"{name}.{ending}" for ending in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        write_atomically(path, content)
    return paths
