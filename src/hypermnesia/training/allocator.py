"""Let the C library keep the memory that a training step frees, for the next step."""

import ctypes
import functools

import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt's option numbers in malloc.h of glibc
_LARGEST_MMAP_THRESHOLD = 32 << 20  # what glibc accepts on 64 bits
_TOP_PAD_SIZE = 64 << 20


@functools.cache
def keep_freed_memory(device: torch.device) -> None:
    """Stop glibc from giving large freed blocks back to the system; does nothing with another C library or device.

    A step allocates and frees tensors of the size of the readout. By default glibc maps and unmaps each,
    and the kernel clears every page again: a quarter of the time of a step. See docs/performance.md.
    """
    if device.type != "cpu":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_TOP_PAD, _TOP_PAD_SIZE)
