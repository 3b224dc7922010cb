"""Download of a published file, once, from whichever mirror answers, into a cache that never holds a bad one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import pooch
import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from hypermnesia.errors import DataError

T = TypeVar("T")


def fetch(name: str, mirrors: Sequence[str], folder: Path, read: Callable[[Path], T]) -> T:
    """Read the file `name`, downloaded into `folder` unless it is there already.

    A download gets its final name only after `read` accepted it, so one that was interrupted or tampered with
    is never taken for the real thing. A file in the cache that `read` refuses is downloaded anew.

    Args:
        name: Name of the file, the same on every mirror.
        mirrors: Addresses of the folders that hold the file, tried in this order; each ends in a slash.
        folder: Folder of the cache.
        read: Function that reads and checks a file, and raises `DataError` if it is not the one wanted.

    Returns:
        Result of `read`.

    Raises:
        DataError: No mirror gave a file that `read` accepts, or the cache cannot be written.
    """
    path = folder / name
    if path.exists():
        try:
            return read(path)
        except DataError as error:
            if path.is_dir():
                raise DataError(f"{path}: a folder lies where a download is kept; remove it.") from error
            path.unlink()

    pooch.get_logger().setLevel(logging.WARNING)  # its advice on hashes: ours are of the content
    failures = []
    for mirror in mirrors:
        try:
            pooch.retrieve(mirror + name, known_hash=None, fname=name, path=folder, downloader=_Checked(name, read))
            return read(path)
        except requests.RequestException as error:
            failures.append(f"{mirror}: {_reason(error)}")
        except DataError as error:
            failures.append(f"{mirror}: sent a wrong file ({error})")
        except OSError as error:
            raise DataError(
                f"cannot keep the download of {name} in {folder}: {error.strerror or error}. Make room or "
                "permit writing there, or choose another cache folder."
            ) from error
    raise DataError(
        f"{name} could not be downloaded:\n  " + "\n  ".join(failures) + "\nCheck the network, or fetch the file "
        "by other means and name the folder that holds it (environment variable HYPERMNESIA_DATA, or `directory`)."
    )


class _Checked:
    """A downloader for pooch that refuses a wrong file while it still has a temporary name."""

    def __init__(self, name: str, read: Callable[[Path], object]):
        self.name = name
        self.read = read

    def __call__(self, url: str, output_file: str | IO[bytes], pooch_: Any, check_only: bool = False) -> None:
        with _DownloadBar(self.name) as bar:
            pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16)(url, output_file, pooch_, check_only)
        self.read(Path(str(output_file)))


class _DownloadBar:
    """The progress bar interface of pooch, drawn by Rich on standard error if that is a terminal."""

    def __init__(self, name: str):
        console = Console(stderr=True)
        columns = (
            TextColumn("Downloading {task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task(name, total=None)

    def __enter__(self) -> _DownloadBar:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    @property
    def total(self) -> float | None:
        """Size of the download in bytes; 0 where the server does not tell it."""
        return self._progress.tasks[0].total

    @total.setter
    def total(self, size: int) -> None:
        self._progress.update(self._task, total=size or None)

    def update(self, size: int) -> None:
        """Count `size` more bytes."""
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        """Count from 0 again; pooch does so at the end, to show exactly the total."""
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Do nothing: leaving the `with` block stops the display."""


def _reason(error: requests.RequestException) -> str:
    """A readable reason; the texts of requests are long chains of class names."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the transfer broke off"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return str(error)
