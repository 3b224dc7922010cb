"""What kind of inputs of several parts a learner learned: the kind of each part."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

from torch import Tensor

from hypermnesia.errors import CheckpointError, DataError
from hypermnesia.inputs import Inputs, Structured, Tree, Type, structured
from hypermnesia.tasks.arrays import as_tensor
from hypermnesia.tasks.input_kind import InputKind


@dataclasses.dataclass(frozen=True)
class StructuredKind:
    """Kind of the inputs of several parts that were learned first; prepares all others part by part.

    Args:
        parts: Kind of each part, by name.

    Example:
        >>> import torch
        >>> kind = StructuredKind({"image": InputKind(torch.uint8), "angle": InputKind(torch.float32)})
        >>> kind.of({"angle": [0.5], "image": torch.tensor([[0, 255]])}).content["image"]
        tensor([[0., 1.]])
    """

    parts: Mapping[str, InputKind]

    @property
    def name(self) -> dict[str, str]:
        """Name of the type of each part, as in files."""
        return {name: kind.name for name, kind in self.parts.items()}

    def __str__(self) -> str:
        return ", ".join(f"{name}: {kind}" for name, kind in self.parts.items())

    def of(self, value: Any) -> Structured:
        """Prepare inputs of these parts, bit for bit as a task's examples are.

        Raises:
            DataError: There are other parts, or one cannot mean what was learned.
        """
        found = structured(_with_tensors(value, self))
        if found is None:
            raise DataError(
                f"inputs must be given in the parts that were learned ({', '.join(self.parts)}), not as a"
                f" {type(value).__name__}"
            )
        return self(found)

    def __call__(self, inputs: Inputs) -> Structured:
        """Return inputs as they go into a network.

        Raises:
            DataError: They cannot mean what was learned.
        """
        assert isinstance(inputs, Structured)
        self.check(inputs.types)
        return inputs.with_parts({name: self.parts[name](part) for name, part in inputs.parts.items()})

    def check(self, other: Type, what: str = "inputs") -> None:
        """Refuse inputs of other parts, or whose types cannot mean what was learned.

        Args:
            other: Type of each part, by name.
            what: What they are called in errors.

        Raises:
            DataError: They cannot.
        """
        if not isinstance(other, dict):
            raise DataError(
                f"{what} are one tensor, but inputs of several parts were learned ({', '.join(self.parts)})"
            )
        if other.keys() != self.parts.keys():
            raise DataError(f"{what} have the parts {', '.join(other)}, but {', '.join(self.parts)} were learned")
        for name, part in other.items():
            self.parts[name].check(part, f"{what}, part '{name}',")


Kind: TypeAlias = InputKind | StructuredKind
"""Kind of the inputs that were learned first."""


def kind_of(type_: Type) -> Kind:
    """Return the kind of inputs of a type, or of parts of these types."""
    if isinstance(type_, dict):
        return StructuredKind({name: InputKind(part) for name, part in type_.items()})
    return InputKind(type_)


def kind_named(name: Any) -> Kind:
    """Return the kind whose type, or types by part, have such names, as in files.

    Raises:
        CheckpointError: There is no such type.
    """
    if isinstance(name, dict):
        return StructuredKind({part: InputKind.named(of_part) for part, of_part in name.items()})
    if not isinstance(name, str):
        raise CheckpointError(f"{name!r} is no type of inputs")
    return InputKind.named(name)


def _with_tensors(value: Any, kind: StructuredKind) -> Any:
    """Arrays and lists as tensors, in a dictionary or tuple of inputs."""
    if isinstance(value, Structured):
        return value
    if isinstance(value, Mapping):
        return Tree({name: _part(part, name, kind) for name, part in value.items()})
    if isinstance(value, (tuple, list)) and len(value) == len(kind.parts) and not structured(value):
        return Tree([_part(part, str(place), kind) for place, part in enumerate(value)])
    return value


def _part(value: Any, name: str, kind: StructuredKind) -> Any:
    if isinstance(value, Tensor) or name not in kind.parts:
        return value
    if isinstance(value, Mapping):
        return {key: _part(part, f"{name}.{key}", kind) for key, part in value.items()}
    type_ = kind.parts[name].type
    return as_tensor(value, f"Part '{name}'", type_ if type_.is_floating_point else None)
