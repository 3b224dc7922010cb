"""What is done with inputs alike, whether they are a tensor, a tree of tensors or graphs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool
from torch import Tensor

from hypermnesia.errors import CheckpointError
from hypermnesia.inputs.graphs import Graphs, is_batch_of_graphs, is_graph
from hypermnesia.inputs.structured import Structured
from hypermnesia.inputs.tree import Tree

Inputs: TypeAlias = Tensor | Structured
"""Inputs of a module: a tensor `[inputs, ...]`, or several parts."""
Shape: TypeAlias = tuple[int, ...] | dict[str, tuple[int, ...]]
"""Shape of one input, or of each of its parts by name."""
Type: TypeAlias = torch.dtype | dict[str, torch.dtype]
"""Type of inputs, or of each part by name."""


def structured(value: Any) -> Structured | None:
    """Return what was given as inputs of several parts; None where it is neither a tree of tensors nor graphs.

    A tuple of tensors is a tree, a list of tensors is not: it has an input in each.

    Example:
        >>> structured({"tokens": torch.zeros(2, 3)}).shape, structured([torch.zeros(2)])
        ({'tokens': (3,)}, None)
    """
    if isinstance(value, Structured):
        return value
    if is_batch_of_graphs(value) or (isinstance(value, list) and value and all(map(is_graph, value))):
        return Graphs(value)
    if isinstance(value, Mapping) or (isinstance(value, tuple) and any(map(_is_part, value))):
        return Tree(value)
    return None


def _is_part(value: Any) -> bool:
    return isinstance(value, (Tensor, Mapping)) or hasattr(value, "__array_interface__")


def shape_of(inputs: Inputs) -> Shape:
    """Return the shape of one input.

    Example:
        >>> shape_of(torch.zeros(5, 2, 3))
        (2, 3)
    """
    return tuple(inputs.shape[1:]) if isinstance(inputs, Tensor) else inputs.shape


def type_of(inputs: Inputs) -> Type:
    """Return the type of inputs, or of their parts."""
    return inputs.dtype if isinstance(inputs, Tensor) else inputs.types


def show_shape(shape: Shape | None, *before: str) -> str:
    """Write the shape of one input as people read it.

    Args:
        shape: Shape of one input, or of each of its parts.
        before: Sizes to write before those of each part, such as 'n'.

    Example:
        >>> show_shape((3, 8, 8)), show_shape({"tokens": (5,), "kind": ()}, "n")
        ('[3, 8, 8]', 'tokens [n, 5], kind [n]')
    """
    if isinstance(shape, dict):
        return ", ".join(f"{name} {show_shape(part, *before)}" for name, part in shape.items())
    return f"[{', '.join(map(str, (*before, *(shape or ()))))}]"


def may_be(shape: Shape, known: Shape) -> bool:
    """Tell whether a module that takes inputs of one shape may take those of another, such as longer sequences.

    Example:
        >>> may_be((7, 3), (9, 3)), may_be((7,), (9, 3)), may_be((3, 8, 4), (8, 4, 3))
        (True, False, False)
    """
    if isinstance(shape, dict) and isinstance(known, dict):
        same = shape.keys() == known.keys()
        return same and all(part == known[name] or may_be(part, known[name]) for name, part in shape.items())
    if isinstance(shape, dict) or isinstance(known, dict) or len(shape) != len(known):
        return False
    # As many numbers but other channels: other axes. A module that flattens its inputs would not notice.
    return math.prod(shape) != math.prod(known) or shape[0] == known[0]


def numbers_in(shape: Shape) -> int:
    """Return how many numbers an input has, all its parts together.

    Example:
        >>> numbers_in((3, 8, 8)), numbers_in({"tokens": (5,), "kind": ()})
        (192, 6)
    """
    return sum(map(numbers_in, shape.values())) if isinstance(shape, dict) else math.prod(shape)


def joined(batches: Sequence[Inputs]) -> Inputs:
    """Return the inputs of several batches, one after another.

    Example:
        >>> joined([torch.zeros(2, 3), torch.zeros(1, 3)]).shape
        torch.Size([3, 3])
    """
    first, *others = batches
    if not others:
        return first
    if isinstance(first, Tensor):
        return torch.cat([first, *others])  # type: ignore[list-item]  # all are of one kind
    return first.joined_with(*others)  # type: ignore[arg-type]


def finite(inputs: Inputs) -> Bool[Tensor, " inputs"]:
    """Return whether all numbers of each input are finite.

    Example:
        >>> finite(torch.tensor([[0.0, 1.0], [torch.nan, 1.0]]))
        tensor([ True, False])
    """
    if isinstance(inputs, Tensor):
        return inputs.isfinite().flatten(1).all(1) if inputs.ndim > 1 else inputs.isfinite()
    if isinstance(inputs, Graphs):
        return inputs.finite()
    return torch.stack([finite(part) for part in inputs.parts.values()]).all(0)


def state_of(inputs: Inputs) -> Any:
    """Return what inputs consist of, as a file takes it."""
    return inputs if isinstance(inputs, Tensor) else inputs.state()


def of_state(state: Any) -> Inputs:
    """Return the inputs that :func:`state_of` gave a state of.

    Raises:
        CheckpointError: It is no such state.
    """
    match state:
        case Tensor():
            return state
        case {"tree": content}:
            return Tree(content)
        case {"graphs": graphs}:
            return Graphs.of_state(graphs)
    raise CheckpointError("these are no inputs that this version knows")
