"""Weights as settings hold them: tuples of Python's numbers, whoever has made them."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor


def _plain(values: Any) -> Any:
    return values.detach().flatten().tolist() if isinstance(values, Tensor) else values


Weights = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...], Field(min_length=1), BeforeValidator(_plain)
]
"""Weights of classes, or of labels: a tuple, a list or a tensor."""


@functools.lru_cache(maxsize=64)
def weights_as_tensor(weights: tuple[float, ...], number: int, first: int, like: torch.dtype, device: str) -> Tensor:
    """Return weights for so many outputs, from one of them on; those of other tasks have 1.

    They are made once, because a CUDA graph takes nothing from the host.
    """
    made = torch.ones(number, dtype=like)
    there = weights[: number - first]
    made[first : first + len(there)] = torch.tensor(there, dtype=like)
    return made.to(device)
