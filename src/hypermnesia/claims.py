"""Directories into which one process at a time writes. Imports no torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from hypermnesia.errors import ConfigurationError

LOCK = ".lock"
"""File in a directory that is claimed."""


@contextlib.contextmanager
def claimed(directory: Path, *, named: Path | None = None, lock: str = LOCK, stays: bool = False) -> Iterator[None]:
    """Keep other processes from writing into a directory; the system ends it with the process, even if killed.

    Args:
        directory: Must exist.
        named: What errors call it; None: as it is called.
        lock: Name of the file to lock, where a part of the directory is claimed.
        stays: Whether that file stays: as where the directory may get another name meanwhile, and the file with it.

    Raises:
        ConfigurationError: Another process writes into it, or nothing can be written there.

    Example:
        >>> import tempfile
        >>> with claimed(Path(tempfile.mkdtemp())):
        ...     pass
    """
    file = FileLock(directory / lock, blocking=False)
    try:
        file.acquire()
    except (Timeout, FileNotFoundError):  # missing: another process has just put it in its place
        raise in_use(named or directory) from None
    except OSError as error:
        raise ConfigurationError(
            f"{named or directory} cannot be written into: {error.strerror or error}; choose another directory."
        ) from error
    try:
        yield
    finally:
        if not stays:  # who has opened it sees that it has no name any more
            with contextlib.suppress(OSError):
                (directory / lock).unlink()
        file.release()


def in_use(directory: Path) -> ConfigurationError:
    """What is said where another process writes into a directory."""
    return ConfigurationError(
        f"{directory} is in use: another process writes into it; wait for it, stop it, or choose another directory."
    )
