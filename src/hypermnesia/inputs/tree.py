"""Inputs that are a dictionary or tuple of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from hypermnesia.errors import DataError
from hypermnesia.inputs.structured import Index, Structured

Content: TypeAlias = Any
"""A tensor; or a tuple, list or dictionary of contents."""


class Tree(Structured):
    """Inputs that are a dictionary or tuple of tensors, which a module takes as arguments by name or by place.

    A part's name is that of its key; of parts within parts, the keys with dots between; of a tuple, the places.

    Args:
        content: Dictionary or tuple, maybe of further ones, of tensors `[inputs, ...]`.

    Raises:
        DataError: There is no part, one is no tensor, or they have different numbers of inputs.

    Example:
        >>> tree = Tree({"tokens": torch.zeros(3, 5), "mask": torch.ones(3, 5)})
        >>> len(tree), tree[:2].shape
        (3, {'tokens': (5,), 'mask': (5,)})
    """

    def __init__(self, content: Mapping[str, Content] | Sequence[Content]) -> None:
        self.content = _plain(content)
        self._parts = dict(_named(self.content))
        if not self._parts:
            raise DataError("Inputs need a part that is a tensor, but there is none.")
        for name, part in self._parts.items():
            if not isinstance(part, Tensor) or part.ndim == 0:
                kind = "a single number" if isinstance(part, Tensor) else type(part).__name__
                raise DataError(
                    f"Part '{name}' of the inputs must be a tensor [inputs, ...], not {kind}: leave it out, and let the"
                    " module have what is the same for all inputs."
                )
        lengths = {name: len(part) for name, part in self._parts.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise DataError(f"All parts of the inputs must have a row for each input, but {found}.")

    @classmethod
    def unchecked(cls, content: Content) -> Tree:
        """Return a tree of plain dictionaries and tuples of what need not be tensors, as while torch traces."""
        tree = object.__new__(cls)
        tree.content, tree._parts = content, dict(_named(content))
        return tree

    def __len__(self) -> int:
        return len(next(iter(self._parts.values())))

    def __getitem__(self, chosen: Index | None) -> Tree:
        return self.map(lambda part: part[chosen])

    @property
    def parts(self) -> dict[str, Tensor]:
        return self._parts

    def with_parts(self, parts: Mapping[str, Tensor]) -> Tree:
        return Tree.unchecked(_filled(self.content, iter(parts.values())))

    def map(self, function: Callable[[Tensor], Tensor]) -> Tree:
        return Tree.unchecked(_filled(self.content, map(function, self._parts.values())))

    @property
    def shape(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(part.shape[1:]) for name, part in self._parts.items()}

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ((), self.content) if isinstance(self.content, dict) else (self.content, {})

    def joined_with(self, *others: Structured) -> Tree:
        parts = {name: torch.cat([part, *(other.parts[name] for other in others)]) for name, part in self.parts.items()}
        return self.with_parts(parts)

    def state(self) -> dict[str, Any]:
        return {"tree": self.content}


def _plain(content: Content) -> Content:
    """Plain dictionaries and tuples in the place of whatever behaves like them."""
    if isinstance(content, Mapping):
        if not all(isinstance(key, str) for key in content):
            raise DataError("Inputs in a dictionary need texts as keys: they are the names of the module's arguments.")
        return {key: _plain(part) for key, part in content.items()}
    if isinstance(content, (tuple, list)):
        return tuple(_plain(part) for part in content)
    return content


def _named(content: Content, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, (dict, tuple)):
        for key, part in content.items() if isinstance(content, dict) else enumerate(content):
            yield from _named(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, content


def _filled(content: Content, parts: Iterator[Tensor]) -> Content:
    """The same structure with other tensors."""
    if isinstance(content, dict):
        return {key: _filled(part, parts) for key, part in content.items()}
    return tuple(_filled(part, parts) for part in content) if isinstance(content, tuple) else next(parts)


# So that `torch.func` and `torch.compile` see the tensors in it.
pytree.register_pytree_node(Tree, lambda tree: ([tree.content], None), lambda content, _: Tree.unchecked(*content))
