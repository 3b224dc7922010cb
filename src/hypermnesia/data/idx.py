"""The IDX file format, in which MNIST and its descendants are published."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from hypermnesia.data.places import open_file
from hypermnesia.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
_AT_ONCE = 1 << 18
_MAX_DIMENSIONS = 8  # of anything sensible: a damaged header may announce 255


def read_bytes(path: Path, limit: int = 1 << 30) -> bytes:
    """Read the content of a file, decompressed if it is gzipped.

    Args:
        path: Path of a regular file.
        limit: Most bytes of content that are taken, so that no small file becomes more than fits into memory.

    Raises:
        DataError: The file is missing, unreadable or no regular file, its compressed data is cut short or damaged, or
            its content is larger.
    """
    with open_file(path) as file:
        try:
            gzipped = file.peek(2)[:2] == _GZIP_MAGIC
            content = _read(gzip.GzipFile(fileobj=file) if gzipped else file, limit)
        except EOFError as error:
            raise DataError(f"{path}: the compressed file is cut short; fetch it anew.") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path}: the compressed file is damaged ({error}); fetch it anew.") from error
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if content is None:
        raise DataError(f"{path}: has more than {limit:,} bytes of content, the most there may be; fetch it anew.")
    return content


def _read(file: io.BufferedIOBase, limit: int) -> bytes | None:
    """The content of a file, in pieces, since memory for `limit` bytes would be taken at once; None if it is larger."""
    content = bytearray()
    while piece := file.read(_AT_ONCE):
        content += piece
        if len(content) > limit:
            return None
    return bytes(content)


def parse(content: bytes, source: Path | str) -> UInt8[Tensor, "..."]:
    """Read the array of bytes in an IDX file, and check the file strictly.

    The format: two zero bytes, the type of the elements (8 for unsigned bytes, the only one accepted here),
    the number of dimensions, each size as a big-endian 32-bit integer, then the elements.

    Args:
        content: Content of the decompressed file.
        source: Origin of the file, named in errors.

    Returns:
        Tensor of the announced shape.

    Raises:
        DataError: The content is no IDX file of unsigned bytes, or has too few or too many bytes.

    Source: Y. LeCun, C. Cortes, C. Burges, *The MNIST database of handwritten digits*, "The IDX file format".

    Example:
        >>> parse(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "three labels")
        tensor([7, 8, 9], dtype=torch.uint8)
    """
    if len(content) < 4:
        raise DataError(f"{source}: {len(content)} bytes are too few for an IDX file; it seems cut short.")
    zeros, kind, dimensions = content[:2], content[2], content[3]
    if zeros != b"\0\0" or kind != _UNSIGNED_BYTE or not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise DataError(
            f"{source}: starts with bytes {content[:4].hex(' ')}, which no IDX file of unsigned bytes does "
            "(expected 00 00 08 and the number of dimensions)."
        )
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(f"{source}: the IDX header is cut short.")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4))
    expected = header + math.prod(shape)
    if len(content) != expected:
        wrong = "it is cut short" if len(content) < expected else "something was appended to it"
        raise DataError(
            f"{source}: its header announces {'×'.join(map(str, shape))} bytes, so {expected:,} with the "
            f"header, but it has {len(content):,}: {wrong}."
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy())
