"""NumPy arrays and nested lists as tensors, for inputs and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hypermnesia.errors import DataError

ArrayLike: TypeAlias = Tensor | npt.NDArray[Any] | Sequence[Any]
"""A tensor, a NumPy array (or what can become one, as a data frame), or nested lists of numbers."""


def as_tensor(value: ArrayLike, what: str) -> Tensor:
    """Convert an array or nested lists into a tensor of the same numbers.

    Tensors are returned as they are. Floating-point arrays and lists get PyTorch's default type, float32; integers
    stay integers, those of lists become int64.

    Args:
        value: A tensor, a NumPy array, or nested lists of numbers, of tensors or of arrays.
        what: What the values are, as named in errors: "Inputs" or "Labels".

    Raises:
        DataError: The lists are ragged, or hold something else than real numbers.

    Example:
        >>> as_tensor([[0.5, 1.0], [0.0, 2.0]], "Inputs").dtype, as_tensor([0, 1], "Labels").dtype
        (torch.float32, torch.int64)
    """
    if isinstance(value, Tensor):
        return value
    if not (isinstance(value, (list, tuple)) or hasattr(value, "__array__")):
        raise DataError(f"{what} must be a tensor, a NumPy array or lists of numbers, not a {type(value).__name__}.")
    try:
        if isinstance(value, (list, tuple)) and value and all(isinstance(part, Tensor) for part in value):
            return torch.stack(list(value))
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{what} have parts of different shapes; give all the same shape. ({error})") from error
    return _of_array(array, what)


def as_inputs(value: ArrayLike) -> Tensor:
    """Convert inputs into the tensor that a network takes; uint8 is scaled to float32 in [0, 1].

    Args:
        value: A tensor, a NumPy array or nested lists, `[inputs, ...]`.

    Raises:
        DataError: The lists are ragged, or hold something else than real numbers.

    Example:
        >>> as_inputs(np.array([[0, 255]], dtype=np.uint8))
        tensor([[0., 1.]])
    """
    return scaled(as_tensor(value, "Inputs"))


def scaled(inputs: Tensor) -> Tensor:
    """Scale gray levels (uint8) to float32 in [0, 1]; other inputs stay as they are."""
    return inputs.to(torch.float32).div_(255) if inputs.dtype == torch.uint8 else inputs


def _of_array(array: npt.NDArray[Any], what: str) -> Tensor:
    kind = array.dtype
    if kind.kind not in "biuf":
        advice = "give class numbers from 0 on; Task.of(..., classes=...) names them" if what == "Labels" else ""
        raise DataError(f"{what} must be real numbers, not NumPy's {kind}{advice and ': '}{advice}.")
    if kind == np.uint64 and array.max(initial=0) > np.iinfo(np.int64).max:
        raise DataError(f"{what} must be below 2⁶³, but the largest is {array.max()}.")
    if kind.kind == "u" and kind.itemsize > 1:  # torch can do little with these
        kind = np.dtype(np.int64)
    elif kind.kind == "f" and kind.itemsize > 8:  # and nothing with these
        kind = np.dtype(np.float64)
    # A copy: torch takes no array that is write-protected, runs backwards or has another machine's byte order.
    tensor = torch.from_numpy(np.array(array, kind.newbyteorder("="), order="C"))
    return tensor.to(torch.get_default_dtype()) if tensor.is_floating_point() else tensor
