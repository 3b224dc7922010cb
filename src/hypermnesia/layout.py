"""The layout of a target network's weights: names, shapes and places in one flat vector."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import UninitializedParameter

from hypermnesia.errors import ConfigurationError

_NORMALIZATIONS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


@dataclasses.dataclass(frozen=True)
class ParameterLayout:
    """Layout of a module's generated parameters in one flat vector; made by :meth:`of`.

    A tied parameter occurs once, under its first name. Parameters that are frozen (`requires_grad=False`) or filtered
    out do not occur: they stay the module's own.

    Attributes:
        names: Names of the parameters as in `module.named_parameters()`.
        shapes: Shapes of the parameters, in the same order.
        scales: Names of the gains of normalization layers. They are neutral at one, not at zero, so a
            hypernetwork generates their difference from one.
        padding: Names of the weights of embeddings that have a row for padding, and its number. Nothing is generated
            in its place: it stays as it is, as when the module is trained by itself.

    Example:
        >>> layout = ParameterLayout.of(torch.nn.Linear(3, 2))
        >>> layout.size, {name: tuple(w.shape) for name, w in layout.unflatten(torch.zeros(8)).items()}
        (8, {'weight': (2, 3), 'bias': (2,)})
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    scales: frozenset[str] = frozenset()
    padding: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, module: nn.Module, filter: Callable[[str, nn.Parameter], bool] | None = None) -> ParameterLayout:
        """Make the layout of a module's trainable parameters.

        Args:
            module: Any module; it is not changed.
            filter: Function of a parameter's name and the parameter; where it is false, the parameter is left out.

        Raises:
            ConfigurationError: No parameter is left, one has no shape yet, or they do not share one real floating type.
        """
        generated: dict[str, tuple[int, ...]] = {}
        dtypes: dict[torch.dtype, str] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad or not (filter is None or filter(name, parameter)):
                continue
            if isinstance(parameter, UninitializedParameter):
                raise ConfigurationError(
                    f"parameter '{name}' has no shape yet: call the module once on an example input first"
                )
            generated[name] = tuple(parameter.shape)
            dtypes.setdefault(parameter.dtype, name)
        if not generated:
            raise ConfigurationError(
                f"{type(module).__name__} has no parameter to generate: at least one must have requires_grad=True"
                " and pass the filter"
            )
        if len(dtypes) > 1 or not next(iter(dtypes)).is_floating_point:
            kinds = ", ".join(f"'{name}' is {dtype}" for dtype, name in dtypes.items())
            raise ConfigurationError(f"all generated parameters must share one real floating type, but {kinds}")
        scales = {
            f"{prefix}.weight" if prefix else "weight"
            for prefix, part in module.named_modules()
            if isinstance(part, _NORMALIZATIONS)
        }
        padding = tuple((name, row) for name, row in _padding(module).items() if name in generated)
        return cls(tuple(generated), tuple(generated.values()), frozenset(scales & generated.keys()), padding)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of elements of each parameter."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        """Number of elements of all parameters together."""
        return sum(self.sizes)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of a parameter."""
        return self.shapes[self.names.index(name)]

    def unflatten(self, flat: Shaped[Tensor, " numbers"]) -> dict[str, Tensor]:
        """Return views of a flat vector as named tensors, as `torch.func.functional_call` takes them.

        Args:
            flat: Vector of at least `size` elements; further ones are ignored.
        """
        # One split, surplus included: its backward writes one vector, where a slice each would write one per slice.
        pieces = torch.split(flat, [*self.sizes, flat.numel() - self.size])
        return {
            name: piece.view(shape) for name, piece, shape in zip(self.names, pieces[:-1], self.shapes, strict=True)
        }

    def flatten(self, tensors: Mapping[str, Tensor]) -> Shaped[Tensor, " numbers"]:
        """Copy named tensors into one vector of `size` elements: the inverse of :meth:`unflatten`."""
        return torch.cat([tensors[name].reshape(-1) for name in self.names])


def _padding(module: nn.Module) -> dict[str, int]:
    """The row for padding of each weight that has one and serves embeddings of that row alone."""
    rows: dict[nn.Parameter, set[int | None]] = {}
    for part in module.modules():
        row = part.padding_idx if isinstance(part, nn.Embedding | nn.EmbeddingBag) else None
        for parameter in part.parameters(recurse=False):
            rows.setdefault(parameter, set()).add(row)
    names = {parameter: name for name, parameter in module.named_parameters()}
    only = {names[parameter]: next(iter(found)) for parameter, found in rows.items() if len(found) == 1}
    return {name: row for name, row in only.items() if row is not None}
