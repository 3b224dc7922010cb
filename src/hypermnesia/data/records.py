"""Files of equal records, each some label bytes and the pixels of an image: the binary version of CIFAR."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from jaxtyping import UInt8

from hypermnesia.errors import DataError

_AT_ONCE = 1000
"""Records read at a time, some megabytes."""


def read_records(
    stream: io.BufferedIOBase, labels: UInt8[np.ndarray, "n labels"], images: UInt8[np.ndarray, "n pixels"], source: str
) -> str:
    """Fill two arrays from a stream of records, in which each image's labels stand before its pixels.

    So there is never a second copy of more than a few records.

    Args:
        stream: Bytes of n records.
        labels: Array that receives the label bytes.
        images: Array that receives the pixels.
        source: Origin of the stream, named in errors.

    Returns:
        SHA-256 of the stream.

    Raises:
        DataError: The stream ends early, goes on afterwards, or cannot be read.

    Example:
        >>> labels, images = np.empty((2, 1), np.uint8), np.empty((2, 3), np.uint8)
        >>> _ = read_records(io.BytesIO(bytes([7, 1, 2, 3, 8, 4, 5, 6])), labels, images, "two records")
        >>> labels.tolist(), images.tolist()
        ([[7], [8]], [[1, 2, 3], [4, 5, 6]])
    """
    digest = hashlib.sha256()
    number, num_labels = labels.shape
    size = num_labels + images.shape[1]
    buffer = memoryview(bytearray(min(_AT_ONCE, number) * size))
    try:
        for start in range(0, number, _AT_ONCE):
            some = buffer[: (number - start) * size]
            if not _fill(stream, some):
                raise DataError(f"{source}: ends amid its records: it is cut short, or was changed while it was read.")
            digest.update(some)
            records = np.frombuffer(some, np.uint8).reshape(-1, size)
            labels[start : start + _AT_ONCE], images[start : start + _AT_ONCE] = np.split(records, [num_labels], axis=1)
        if stream.read(1):
            raise DataError(f"{source}: goes on after its last record; it was changed while it was read.")
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror}).") from error
    return digest.hexdigest()


def _fill(stream: io.BufferedIOBase, buffer: memoryview) -> bool:
    while buffer:
        size = stream.readinto(buffer)
        if not size:
            return False
        buffer = buffer[size:]
    return True
