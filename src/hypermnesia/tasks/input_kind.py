"""What kind of inputs a learner learned, and how others go into its network in the same way."""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor

from hypermnesia.errors import CheckpointError, DataError
from hypermnesia.inputs import Type
from hypermnesia.tasks.arrays import ArrayLike, as_tensor

_GRAY, _FLOATS, _INTEGERS = "gray levels", "floating-point numbers", "integers"
_FITTING = {_GRAY: (_GRAY, _INTEGERS, _FLOATS), _INTEGERS: (_INTEGERS, _GRAY)}
"""Groups that can mean what was learned, by its group; of others only the group itself."""
_WIDEST = (-1, 2)
"""Where scaled gray levels lie, also with noise or interpolated; unscaled or normalized ones do not."""


@dataclasses.dataclass(frozen=True)
class InputKind:
    """Kind of the inputs that were learned first; a function that prepares all others as these were prepared.

    The same numbers in another type become those that were learned: floating-point numbers of any precision, integers
    of any size. Gray levels may also come as integers from 0 to 255, or scaled already.

    Args:
        type: Type in which the inputs are stored; uint8 are gray levels, scaled to float32 in [0, 1].

    Example:
        >>> InputKind(torch.uint8)(torch.tensor([0, 255]))
        tensor([0., 1.])
        >>> InputKind(torch.float32)(torch.tensor([0, 255]))
        Traceback (most recent call last):
        ...
        hypermnesia.errors.DataError: inputs are integers (int64), but floating-point numbers (float32) were learned: \
prepare them as those were; .to(torch.float32) will do where the numbers mean the same
    """

    type: torch.dtype

    @classmethod
    def named(cls, name: str) -> InputKind:
        """Return the kind whose type has such a name, as in files.

        Raises:
            CheckpointError: There is no such type.
        """
        found = getattr(torch, name, None)
        if not isinstance(found, torch.dtype):
            raise CheckpointError(f"'{name}' is no type of inputs that this version knows")
        return cls(found)

    @property
    def name(self) -> str:
        """Name of the type, as in files."""
        return str(self.type).removeprefix("torch.")

    def __str__(self) -> str:
        return f"{_group(self.type)} ({self.name})"

    def of(self, value: ArrayLike) -> Tensor:
        """Prepare a tensor, an array or nested lists of inputs, `[inputs, ...]`, bit for bit as a task's examples are.

        Raises:
            DataError: They cannot mean what was learned, or are no numbers.
        """
        floats = self.type if self.type.is_floating_point else None
        # Taken from a task they are contiguous; sums of products depend on that in their last bits.
        return self(as_tensor(value, "Inputs", floats)).contiguous()

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return inputs as they go into a network.

        Raises:
            DataError: They cannot mean what was learned.
        """
        self.check(inputs.dtype)
        if self.type is not torch.uint8:
            if _group(self.type) == _INTEGERS and inputs.dtype != self.type:
                info = torch.iinfo(self.type)
                self._check_range(inputs, info.min, info.max, "give what lies between")
            return inputs.to(self.type)
        if inputs.is_floating_point():
            self._check_range(inputs, *_WIDEST, "give them as uint8, or scaled to numbers from 0 to 1 (divided by 255)")
            return inputs if inputs.dtype is torch.float32 else inputs.to(torch.float32)
        if inputs.dtype != torch.uint8:
            self._check_range(inputs, 0, 255, "give numbers from 0 to 255")
        return inputs.to(torch.float32).div_(255)

    def check(self, other: Type, what: str = "inputs") -> None:
        """Refuse inputs of a type that cannot mean what was learned.

        Args:
            other: Their type, or that of each of their parts.
            what: What they are called in errors.

        Raises:
            DataError: It cannot.
        """
        if isinstance(other, dict):
            raise DataError(f"{what} have several parts ({', '.join(other)}), but one tensor was learned: give that")
        if not _fits(other, self.type):
            raise DataError(
                f"{what} are {InputKind(other)}, but {self} were learned: prepare them as those were;"
                f" .to({self.type}) will do where the numbers mean the same"
            )

    def _check_range(self, inputs: Tensor, least: int, most: int, advice: str) -> None:
        if inputs.numel() == 0:
            return
        if inputs.dtype in (torch.uint16, torch.uint32, torch.uint64):  # of which torch finds no extremes
            inputs = inputs.to(torch.float64)
        smallest, largest = torch.aminmax(inputs)
        low, high = smallest.item(), largest.item()
        if low < least or high > most:
            raise DataError(f"inputs reach from {low:g} to {high:g}, but {self} were learned: {advice}")


@functools.cache
def _fits(other: torch.dtype, learned: torch.dtype) -> bool:
    group = _group(learned)
    return _group(other) in _FITTING.get(group, (group,))


def _group(kind: torch.dtype) -> str:
    if kind is torch.uint8:
        return _GRAY
    if kind is torch.bool:
        return "truth values"
    if kind.is_complex:
        return "complex numbers"
    return _FLOATS if kind.is_floating_point else _INTEGERS
