"""Files in a .tar.gz, read without unpacking it: nothing it says is trusted, and nothing is written to disk."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from hypermnesia.data.places import open_file
from hypermnesia.errors import DataError

_MORE = 1 << 20
"""Bytes allowed for what surrounds the files wanted: tar's headers, a readme."""


def read_members(path: Path, limits: Mapping[str, int], read: Callable[[str, int, io.BufferedIOBase], None]) -> None:
    """Give each of the wanted files in an archive to a function, in the order in which they lie there.

    Args:
        path: Path of the archive.
        limits: Most bytes that each wanted file may have, by its path in the archive.
        read: Function of a file's path, its size and its bytes; called once for each file wanted that is there.

    Raises:
        DataError: It is no such archive, is cut short or damaged, holds a link, a device or a path that leaves it, a
            file twice or a larger one; or more altogether than the limits allow. What `read` raises.
    """
    seen: set[str] = set()
    with open_file(path) as file:
        content = _Bounded(path, gzip.GzipFile(fileobj=file), sum(limits.values()) + _MORE)
        try:
            with tarfile.open(fileobj=content, mode="r|", bufsize=_MORE) as archive:  # type: ignore[call-overload]  # all it needs
                for member in archive:
                    name = _checked_name(path, member)
                    if name not in limits or not member.isfile():
                        continue
                    if name in seen:
                        raise DataError(f"{path}: holds {name} twice; fetch it anew.")
                    if member.size > limits[name]:
                        raise DataError(
                            f"{path}: {name} has {member.size:,} bytes, more than the {limits[name]:,} there may be."
                        )
                    stream = archive.extractfile(member)
                    assert isinstance(stream, io.BufferedIOBase)
                    seen.add(name)
                    read(name, member.size, stream)
            while content.read(_MORE):  # to the end, where the checksum of the compressed data is
                pass
        except tarfile.TarError as error:
            raise DataError(f"{path}: is no whole tar archive ({error}); fetch it anew.") from error


def _checked_name(path: Path, member: tarfile.TarInfo) -> str:
    place = PurePosixPath(member.name)
    if place.is_absolute() or ".." in place.parts:
        raise DataError(f"{path}: holds {member.name!r}, a path outside of it; this is not a published archive.")
    if not (member.isfile() or member.isdir()):
        raise DataError(f"{path}: holds {member.name!r}, which is neither a file nor a folder; links are not followed.")
    return str(place)


class _Bounded:
    """What tarfile reads from: the decompressed content, up to a limit."""

    def __init__(self, path: Path, content: gzip.GzipFile, limit: int) -> None:
        self._path, self._content, self._left = path, content, limit

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        try:
            data = self._content.read(size)
        except EOFError as error:
            raise DataError(f"{self._path}: the archive is cut short; fetch it anew.") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self._path}: is no .tar.gz, or a damaged one ({error}); fetch it anew.") from error
        except OSError as error:
            raise DataError(f"{self._path}: cannot be read ({error.strerror}).") from error
        self._left -= len(data)
        if self._left < 0:
            raise DataError(
                f"{self._path}: holds much more than the files wanted of it; this is not a published archive."
            )
        return data
