"""NumPy arrays and nested lists as tensors, for inputs and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.masked import MaskedTensor

from hypermnesia.errors import DataError, shown
from hypermnesia.inputs import Inputs, Structured, structured

ArrayLike: TypeAlias = Tensor | npt.NDArray[Any] | Sequence[Any]
"""A tensor, a NumPy array (or what can become one, as a data frame), or nested lists of numbers."""

_MASKED = "have masked numbers, which would count like others: leave them out, or fill them, as {} does."


def as_tensor(value: ArrayLike, what: str, floats: torch.dtype | None = None) -> Tensor:
    """Convert an array or nested lists into a tensor of the same numbers.

    Tensors are returned as they are, without gradients. Floating-point arrays and lists get PyTorch's default type,
    float32; integers stay integers, those of lists become int64.

    Args:
        value: A tensor, a NumPy array, or nested lists of numbers, of tensors or of arrays.
        what: What the values are, as named in errors: "Inputs" or "Labels".
        floats: Type that floating-point arrays and lists get instead of the default one.

    Raises:
        DataError: The lists are ragged, or hold something else than real numbers.

    Example:
        >>> as_tensor([[0.5, 1.0], [0.0, 2.0]], "Inputs").dtype, as_tensor([0, 1], "Labels").dtype
        (torch.float32, torch.int64)
    """
    if isinstance(value, Tensor):
        if value.is_meta or value.is_nested or value.layout != torch.strided:
            kind = "that is sparse (as to_dense() makes dense)"
            if value.is_meta:
                kind = "without values (on meta)"
            elif value.is_nested:
                kind = "that is nested (pad it, as torch.nested.to_padded_tensor does, and give lengths or a mask too)"
            raise DataError(f"{what} must be a dense tensor of numbers, not one {kind}.")
        if isinstance(value, MaskedTensor):
            raise DataError(f"{what} {_MASKED.format('to_tensor(0)')}")
        return value.detach() if value.requires_grad else value
    if not (isinstance(value, (list, tuple)) or hasattr(value, "__array__")):
        raise DataError(f"{what} must be a tensor, a NumPy array or lists of numbers, not a {type(value).__name__}.")
    first = value[0] if isinstance(value, (list, tuple)) and value else value
    if isinstance(first, np.ma.MaskedArray) and any(map(np.ma.is_masked, [value] if first is value else value)):
        raise DataError(f"{what} {_MASKED.format('filled(0)')}")
    try:
        if isinstance(value, (list, tuple)) and value and all(isinstance(part, Tensor) for part in value):
            return torch.stack(list(value)).detach()
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{what} have parts of different shapes; give all the same shape. ({error})") from error
    return usual_type(_of_array(array, what), floats)


def parts_or_tensor(value: Any) -> Inputs:
    """Return inputs as they were given in several parts, or else as a tensor.

    Example:
        >>> parts_or_tensor({"angle": [0.5, 1.0]}).parts["angle"], parts_or_tensor([0.5, 1.0])
        (tensor([0.5000, 1.0000]), tensor([0.5000, 1.0000]))
    """
    if isinstance(value, Mapping):
        value = {name: _part(part, name) for name, part in value.items()}
    elif isinstance(value, tuple) and structured(value) is not None:
        value = tuple(_part(part, str(place)) for place, part in enumerate(value))
    found = structured(value)
    return as_tensor(value, "Inputs") if found is None else found


def _part(value: Any, name: str) -> Any:
    if isinstance(value, (Mapping, tuple)):
        return value
    return as_tensor(value, f"Part '{name}' of the inputs")


def usual_type(tensor: Tensor, floats: torch.dtype | None = None) -> Tensor:
    """Give a tensor that was made of arrays the type that it is used in.

    Floating-point numbers get the type `floats`, by default PyTorch's default one. Unsigned integers become int64, but
    for gray levels (uint8): torch can do little with the others.

    Example:
        >>> usual_type(torch.zeros(1, dtype=torch.float64)).dtype, usual_type(torch.zeros(1, dtype=torch.uint16)).dtype
        (torch.float32, torch.int64)
    """
    if tensor.is_floating_point():
        return tensor.to(floats or torch.get_default_dtype())
    return tensor.to(torch.int64) if tensor.dtype in (torch.uint16, torch.uint32, torch.uint64) else tensor


def scaled(inputs: Inputs) -> Inputs:
    """Scale gray levels (uint8) to float32 in [0, 1]; other inputs, and other parts of inputs, stay as they are."""
    if isinstance(inputs, Structured):
        return inputs.map(_scaled) if torch.uint8 in inputs.types.values() else inputs
    return _scaled(inputs)


def _scaled(inputs: Tensor) -> Tensor:
    return inputs.to(torch.float32).div_(255) if inputs.dtype == torch.uint8 else inputs


def _of_array(array: npt.NDArray[Any], what: str) -> Tensor:
    if array.dtype.kind == "O":  # as of a data frame whose columns differ in type, or know missing values
        array = _of_objects(array)
    kind = array.dtype
    if kind.kind not in "biuf":
        advice = "give class numbers from 0 on; Task.of(..., classes=...) names them" if what == "Labels" else ""
        found = f"NumPy's {kind}"
        if kind.kind == "O":
            found = next((shown(each) for each in array.flat if not isinstance(each, Real)), found)
        raise DataError(f"{what} must be real numbers, not {found}{advice and ': '}{advice}.")
    if kind == np.uint64 and array.max(initial=0) > np.iinfo(np.int64).max:
        raise DataError(f"{what} must be below 2⁶³, but the largest is {array.max()}.")
    if kind.kind == "f" and kind.itemsize > 8:  # torch has none
        kind = np.dtype(np.float64)
    # A copy: torch takes no array that is write-protected, runs backwards or has another machine's byte order.
    return torch.from_numpy(np.array(array, kind.newbyteorder("="), order="C"))


def _of_objects(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array as one of numbers, if all its objects are some."""
    try:
        found = np.asarray(array.tolist())
    except ValueError:  # parts of different shapes
        return array
    return found if found.dtype.kind in "biuf" else array
