"""A quadratic penalty on how far each parameter has moved: what EWC and SI share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True, eq=False)
class QuadraticPenalty:
    """A parabola over named parameters, around an anchor.

        ½ Σ_i importance_i (θ_i − anchor_i)² + spread / 2

    Parameters that it has no anchor for do not count. A parameter may have grown along its first dimension since, as
    the head of a classifier does: the rows that the anchor has count, later ones are free. Without any entry it is
    worth 0.

    Its tensors are not copied, and nothing in here changes them.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017, equation 3; Zenke
    et al., Continual learning through synaptic intelligence, ICML 2017, equation 4.

    Attributes:
        importance: How much a move of each parameter costs, by name; not negative.
        anchor: Where each parameter costs nothing, by the same names and of the same shapes.
        spread: Twice the value at the anchor. A parabola that is the sum of several is not 0 at its minimum.

    Example:
        >>> penalty = QuadraticPenalty({"w": torch.tensor([2.0])}, {"w": torch.tensor([1.0])})
        >>> penalty({"w": torch.tensor([4.0, 9.0])}).item()  # the second row is new
        9.0
    """

    importance: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    anchor: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    spread: Float[Tensor, ""] = dataclasses.field(default_factory=lambda: torch.zeros(()))

    def __call__(self, parameters: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        """The penalty at `parameters`, differentiable with respect to them.

        Args:
            parameters: θ by name: all that have an anchor, and maybe more.

        Raises:
            RuntimeError: If a parameter has fewer rows than its anchor.
        """
        if not self.anchor:
            return self.spread / 2
        moves = torch._foreach_sub(self._anchored(parameters), list(self.anchor.values()))
        return (_total(torch._foreach_mul(self._importances, torch._foreach_mul(moves, moves))) + self.spread) / 2

    @torch.no_grad()
    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter], scale: float) -> Float[Tensor, ""]:
        """Add `scale` times the gradient of the penalty to each parameter's `grad`, in place.

        What `(scale * penalty(parameters)).backward()` would do, without recording a graph. Where there is no `grad`
        yet, it starts as zeros.

        Args:
            parameters: θ by name: all that have an anchor, and maybe more, whose `grad` stays as it is.
            scale: Factor of the penalty in the loss.

        Returns:
            The value of the penalty, not scaled and detached.

        Raises:
            RuntimeError: If a parameter has fewer rows than its anchor.
        """
        if not self.anchor:
            return self.spread / 2
        moves = torch._foreach_sub(self._anchored(parameters), list(self.anchor.values()))
        gradients = torch._foreach_mul(self._importances, moves)
        sums = self._anchored({name: _gradient(parameters[name]) for name in self.anchor})
        torch._foreach_add_(sums, gradients, alpha=scale)
        torch._foreach_mul_(moves, gradients)
        return (_total(moves) + self.spread) / 2

    def state(self) -> dict[str, Any]:
        """Copies of all tensors, in plain dicts; what `of_state` reads."""
        return {
            "importance": {name: tensor.detach().clone() for name, tensor in self.importance.items()},
            "anchor": {name: tensor.detach().clone() for name, tensor in self.anchor.items()},
            "spread": self.spread.detach().clone(),
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any], device: torch.device | str) -> QuadraticPenalty:
        """The penalty that `state` was taken from, on `device`; it shares no storage with `state`.

        Example:
            >>> penalty = QuadraticPenalty({"w": torch.tensor([2.0])}, {"w": torch.tensor([1.0])})
            >>> QuadraticPenalty.of_state(penalty.state(), "cpu")({"w": torch.tensor([4.0])}).item()
            9.0
        """
        return cls(
            {name: tensor.to(device, copy=True) for name, tensor in state["importance"].items()},
            {name: tensor.to(device, copy=True) for name, tensor in state["anchor"].items()},
            state["spread"].to(device, copy=True),
        )

    @property
    def _importances(self) -> list[Tensor]:
        """In the anchor's order, which a state read back need not have kept."""
        return [self.importance[name] for name in self.anchor]

    def _anchored(self, tensors: Mapping[str, Tensor]) -> list[Tensor]:
        """Views of the rows that have an anchor, in the anchor's order."""
        return [_first_rows(tensors[name], anchor) for name, anchor in self.anchor.items()]


def padded(old: Tensor | None, like: Tensor) -> Tensor:
    """`old` with rows of zeros appended until it has the shape of `like`; None counts as no rows. A copy.

    Example:
        >>> padded(torch.ones(2), torch.zeros(3))
        tensor([1., 1., 0.])
    """
    grown = torch.zeros_like(like, requires_grad=False)
    if old is not None:
        _first_rows(grown, old).copy_(old)
    return grown


def _first_rows(tensor: Tensor, like: Tensor) -> Tensor:
    # `narrow`, unlike a slice, refuses rows that are not there.
    return tensor if tensor.shape == like.shape else tensor.narrow(0, 0, len(like))


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _total(tensors: Iterable[Tensor]) -> Float[Tensor, ""]:
    return torch.stack([tensor.sum() for tensor in tensors]).sum()
