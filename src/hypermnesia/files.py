"""Files that are written whole or not at all. Imports no torch, so that what only writes text starts at once."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from hypermnesia.errors import CheckpointError

FORMAT = 7
"""Version of the layout of run directories and learner files; raised when older ones can no longer be read."""


def open_regular(path: Path, *, within: Path | None = None) -> io.BufferedReader:
    """Open a regular file for reading. Anything else is refused: a pipe may never begin, and a device never end.

    Args:
        path: The file.
        within: Directory above it, from which no link may lead away; None where links are followed.

    Raises:
        OSError: It is missing, unreadable, or no regular file; says which.
    """
    inside = [place for place in (path, *path.parents) if within in place.parents] if within is not None else []
    if any(place.is_symlink() for place in inside):
        raise OSError(errno.EINVAL, "it is a link, which may lead anywhere", str(path))
    if sys.platform == "win32":  # where no pipe is among files, and a file that is opened otherwise is a text
        file = os.open(path, os.O_RDONLY | os.O_BINARY)
    else:  # without blocking, so that a pipe to which nobody writes is opened, too, and then refused
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise OSError(errno.EINVAL, f"it is {what}, not a file", str(path))
    return os.fdopen(file, "rb")


def read_regular(path: Path, limit: int, *, within: Path | None = None) -> bytes:
    """Read a regular file of bounded size.

    Args:
        path: The file.
        limit: Most bytes that it may have.
        within: As for :func:`open_regular`.

    Raises:
        OSError: It is missing, unreadable, no regular file, or larger; says which.
    """
    with open_regular(path, within=within) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(limit + 1) if size <= limit else b""
    if max(size, len(content)) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes, the most there may be", str(path))
    return content


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Let errors of the system, raised where it knows no name, name the file or the directory.

    Raises:
        OSError: As it was raised, with the name.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(error.filename or path)) from error


def write_atomically(path: Path, *data: bytes | memoryview) -> None:
    """Write a file so that it holds, at any moment, either what it held before or all of `data`, one after another.

    Raises:
        OSError: It could not be written; names the file. What was there before remains.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.writelines(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        _remove(aside)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except BaseException:
        _remove(aside)
        raise
    with contextlib.suppress(OSError):  # not every file system syncs directories
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def remove_left_behind(directory: Path, name: str = "") -> None:
    """Remove what killed processes were writing aside when they ended; for whoever alone writes there now.

    Args:
        directory: Directory that they wrote into, itself without those in it.
        name: How the names of the files begin that are written by nobody else; by default all are.
    """
    for aside in directory.glob(f".{name}*.[0-9]*.tmp"):
        _remove(aside)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


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
