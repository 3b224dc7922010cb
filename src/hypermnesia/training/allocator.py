"""A setting of the C library: memory that a training step frees is kept for the next step."""

import ctypes
import functools

import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt's option numbers in malloc.h of glibc
_LARGEST_MMAP_THRESHOLD = 32 << 20  # what glibc accepts on 64 bits
_TOP_PAD_SIZE = 64 << 20


def keep_freed_memory(device: torch.device) -> None:
    """Stop glibc from giving freed blocks back to the system at every step; does nothing with another C library.

    A step allocates and frees tensors of the size of the readout. By default glibc maps and unmaps each, and the
    kernel clears every page again, a large part of the time of a step. What is free when this is called, at the
    beginning of a task, does go back, so that the heap does not grow from task to task. See docs/performance.md.
    """
    libc = _glibc() if device.type == "cpu" else None
    if libc is None:
        return
    libc.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(_TOP_PAD, _TOP_PAD_SIZE)
    libc.malloc_trim(ctypes.c_size_t(0))


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no such handle
        return None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
