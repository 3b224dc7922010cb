"""What inputs of several parts have in common with a tensor of inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Index = slice | Tensor
"""Choice of inputs: a slice, or a tensor of their numbers or of truth values."""


class Structured(ABC):
    """Base class of inputs of several parts; in a batch they do what is asked of a tensor whose rows are inputs."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of inputs."""

    @abstractmethod
    def __getitem__(self, chosen: Index) -> Structured:
        """Choose some of the inputs."""

    @property
    @abstractmethod
    def parts(self) -> dict[str, Tensor]:
        """Tensors of all inputs, by name."""

    @abstractmethod
    def with_parts(self, parts: Mapping[str, Tensor]) -> Structured:
        """Return inputs of the same structure that are made of these tensors."""

    @property
    @abstractmethod
    def shape(self) -> dict[str, tuple[int, ...]]:
        """Shape of each part of one input, by name."""

    @abstractmethod
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments by place and by name with which a module takes the inputs."""

    @abstractmethod
    def joined_with(self, *others: Structured) -> Structured:
        """Return these inputs and others of the same structure, one after another."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what they consist of, as a file takes it: nested dicts and lists of tensors and texts."""

    @property
    def types(self) -> dict[str, torch.dtype]:
        """Type of each part, by name."""
        return {name: part.dtype for name, part in self.parts.items()}

    @property
    def device(self) -> torch.device:
        """Device of all parts."""
        return next(iter(self.parts.values())).device

    def numel(self) -> int:
        """Return the number of numbers in all parts."""
        return sum(part.numel() for part in self.parts.values())

    def map(self, function: Callable[[Tensor], Tensor]) -> Structured:
        """Return inputs each of whose parts has become what a function makes of it."""
        return self.with_parts({name: function(part) for name, part in self.parts.items()})

    def to(self, *args: Any, **kwargs: Any) -> Structured:
        """Move all parts, as `Tensor.to` does."""
        return self.map(lambda part: part.to(*args, **kwargs))

    def detach(self) -> Structured:
        """Detach all parts from what they were computed from."""
        return self.map(Tensor.detach)

    def clone(self) -> Structured:
        """Copy all parts."""
        return self.map(Tensor.clone)

    def copy_(self, others: Structured) -> Structured:
        """Take over the values of other inputs of the same shapes, in place."""
        for mine, other in zip(self.parts.values(), others.parts.values(), strict=True):
            mine.copy_(other)
        return self

    def split(self, size: int) -> list[Structured]:
        """Divide into batches of so many inputs; the last one may be smaller."""
        return [self[first : first + size] for first in range(0, len(self), size)] or [self]

    def tensor_split(self, number: int) -> list[Structured]:
        """Divide into so many batches, as equal as can be."""
        numbers = torch.arange(len(self), device=self.device)
        return [self[chosen] for chosen in numbers.tensor_split(number)]
