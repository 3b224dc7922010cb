"""Device and memory of computations."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

from hypermnesia import parallel
from hypermnesia.errors import ConfigurationError, shown


def resolve_device(name: str) -> torch.device:
    """Return the device of a name; `auto` is the first available one of cuda, mps and cpu.

    Args:
        name: Name of the device: `auto`, `cpu`, `cuda`, `cuda:1`, …, or `mps`.

    Raises:
        ConfigurationError: There is no such device here.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, there in present.items() if there)
    if name == "cuda" and present["cuda"] and parallel.size() > 1:
        return torch.device("cuda", torch.cuda.current_device())  # of each rank another
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigurationError(f"device must be auto, cpu, cuda (or cuda:N) or mps, not {shown(name)}") from None
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not present.get(device.type, False) or (device.index or 0) >= count:
        here = ", ".join(kind for kind, there in present.items() if there)
        raise ConfigurationError(f"there is no device {shown(name)} here, only {here}; device 'auto' takes the best")
    return device


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def made_on_the_cpu(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let a function make tensors on the CPU where it names no device, whatever torch's default device is.

    Random numbers are drawn on the CPU, so that they are the same for every device, and moved to where they are wanted.

    Example:
        >>> with torch.device("meta"):
        ...     made_on_the_cpu(torch.zeros)(1).device
        device(type='cpu')
    """

    @functools.wraps(function)
    def on_the_cpu(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        # The context costs something with every call of torch, and torch.get_default_device() more than this.
        if torch.empty(0).is_cpu:
            return function(*args, **kwargs)
        with torch.device("cpu"):
            return function(*args, **kwargs)

    return on_the_cpu


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
