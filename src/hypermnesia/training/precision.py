"""Precision of computations: of forward passes, and of losses."""

from __future__ import annotations

import contextlib
import functools
import time
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from hypermnesia.errors import note


def forward_precision(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context manager of a forward pass in `float32`, `bfloat16` or `float16`; weights stay float32.

    Example:
        >>> linear = torch.nn.Linear(2, 2)
        >>> with forward_precision("bfloat16", torch.device("cpu")):
        ...     linear(torch.zeros(1, 2)).dtype
        torch.bfloat16
    """
    kind = _kind_of(device)
    if precision == "float32" and not torch.is_autocast_enabled(kind):
        return contextlib.nullcontext()  # for free, which counts where a single input is answered
    # Without its cache, which would outlive the weights that a graph captures.
    halved = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    return torch.autocast(kind, halved or torch.bfloat16, enabled=halved is not None, cache_enabled=False)


def check_worthwhile(precision: str, device: torch.device) -> None:
    """Tell of a half precision that the processor has no units for, which makes it a trap instead of a help.

    Where the processor has units for it, small products take as long as in float32, or less; where it has none, some
    sixty times as long.
    """
    if precision == "float32" or device.type != "cpu":
        return
    times = time_of_halves()[precision]
    if times >= 4:
        note(
            f"training.precision={precision} makes learning slower here: for a product of matrices this processor takes"
            f" {times:.0f} times as long as in float32. Leave it out, or learn on a device that has units for it."
        )


@functools.cache
def time_of_halves() -> dict[str, float]:
    """Measure, once in a process, how many times as long as in float32 the CPU multiplies in half precision.

    It takes a fifth of a second where there are no units for it; else next to nothing.

    Example:
        >>> sorted(time_of_halves())
        ['bfloat16', 'float16']
    """
    with torch.autocast("cpu", enabled=False), torch.device("cpu"):
        seconds = {kind: _seconds_of_product(kind) for kind in (torch.float32, torch.bfloat16, torch.float16)}
    of_single = seconds.pop(torch.float32)
    return {str(kind).removeprefix("torch."): of_half / of_single for kind, of_half in seconds.items()}


def _seconds_of_product(dtype: torch.dtype) -> float:
    """The least time of three, after one that does not count."""
    matrix, taken = torch.ones(256, 256, dtype=dtype), []
    for _ in range(4):
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


@functools.cache
def _kind_of(device: torch.device) -> str:
    return device.type  # a new string each time, which takes as long as a small layer


def single_or_double(outputs: Tensor) -> Tensor:
    """Return outputs in a type precise enough for losses: half precision becomes float32, others stay as they are.

    Example:
        >>> [single_or_double(torch.zeros(1, dtype=kind)).dtype for kind in (torch.bfloat16, torch.float64)]
        [torch.float32, torch.float64]
    """
    if outputs.dtype is torch.float32:
        return outputs
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))
