"""Where the files of a dataset are: in a directory that was named, or in the cache of downloads."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pooch

from hypermnesia.errors import DataError
from hypermnesia.files import open_regular

DIRECTORY_VARIABLE = "HYPERMNESIA_DATA"


def named(directory: Path | str | None) -> Path | None:
    """Return the directory that was named for data, by an argument or else by `HYPERMNESIA_DATA`; None for neither."""
    directory = directory or os.environ.get(DIRECTORY_VARIABLE)
    return Path(directory) if directory else None


def folders(directory: Path, *names: str) -> list[Path]:
    """Return the folders of these names that are in a directory, in this order, and then the directory itself.

    Example:
        >>> folders(Path("nowhere"), "mnist") == [Path("nowhere")]
        True
    """
    inside = (directory / name for name in names)
    return [*(folder for folder in inside if folder.is_dir()), directory]


def cached(name: str, cache: Path | str | None) -> Path:
    """Return the folder that keeps downloads of a dataset: in `cache`, or else in the user's cache folder."""
    return Path(cache or pooch.os_cache("hypermnesia")) / name


def open_file(path: Path) -> io.BufferedReader:
    """Open a regular file for reading. Anything else is refused: a pipe may never begin, and a device never end.

    Raises:
        DataError: It is missing, unreadable, or no regular file.
    """
    try:
        return open_regular(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); put the file itself there.") from error
