"""Penalties on moving the weights of a network; the quadratic one, which EWC and SI share."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hypermnesia.errors import CheckpointError


class Penalty(ABC):
    """Penalty added to a loss, so that the weights of a network stay where old tasks left them."""

    @abstractmethod
    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        """Add the penalty's gradient to `.grad`, which so far holds that of the task loss alone; return its value."""

    def statistics(self) -> list[Tensor]:
        """Return what it changes with every step, in place."""
        return []


@dataclasses.dataclass(frozen=True, eq=False)
class QuadraticPenalty:
    """Quadratic penalty on how far named parameters have moved from an anchor.

        ½ Σ_i importance_i (θ_i − anchor_i)² + spread / 2

    Parameters without an anchor do not count. A parameter may have grown along its first dimension since, as the head
    of a classifier does: the anchor's rows count, later ones are free. Without any entry the penalty is 0.

    The tensors are neither copied nor changed.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017, equation 3; Zenke
    et al., Continual learning through synaptic intelligence, ICML 2017, equation 4.

    Attributes:
        importance: Importance of each parameter, by name; not negative.
        anchor: Value of each parameter at the penalty's minimum, by the same names and of the same shapes.
        spread: Twice the value at the anchor. A sum of several parabolas is not 0 at its minimum.

    Example:
        >>> penalty = QuadraticPenalty({"w": torch.tensor([2.0])}, {"w": torch.tensor([1.0])})
        >>> penalty({"w": torch.tensor([4.0, 9.0])}).item()  # the second row is new
        9.0
    """

    importance: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    anchor: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    spread: Float[Tensor, ""] = dataclasses.field(default_factory=lambda: torch.zeros((), dtype=torch.float32))

    def __post_init__(self) -> None:
        # In one order, whatever a file has made of that of the dicts: the last digit of the sum depends on it.
        for part in ("importance", "anchor"):
            object.__setattr__(self, part, dict(sorted(getattr(self, part).items())))

    def __call__(self, parameters: Mapping[str, Tensor]) -> Float[Tensor, ""]:
        """Compute the penalty at `parameters`, differentiable with respect to them.

        Args:
            parameters: Parameters θ by name: all that have an anchor, and maybe more.

        Raises:
            RuntimeError: A parameter has fewer rows than its anchor.
        """
        if not self.anchor:
            return self.spread / 2
        moves = torch._foreach_sub(self._anchored(parameters), list(self.anchor.values()))
        squares = torch._foreach_mul(moves, moves)
        return (_total(torch._foreach_mul(list(self.importance.values()), squares)) + self.spread) / 2

    @torch.no_grad()
    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter], scale: float) -> Float[Tensor, ""]:
        """Add `scale` times the gradient of the penalty to each parameter's `grad`, in place.

        This equals `(scale * penalty(parameters)).backward()`, but records no graph. A missing `grad` counts as zeros.

        Args:
            parameters: Parameters θ by name: all that have an anchor, and maybe more, whose `grad` stays as it is.
            scale: Factor of the penalty in the loss.

        Returns:
            Value of the penalty, not scaled and detached.

        Raises:
            RuntimeError: A parameter has fewer rows than its anchor.
        """
        if not self.anchor:
            return self.spread / 2
        moves = torch._foreach_sub(self._anchored(parameters), list(self.anchor.values()))
        gradients = torch._foreach_mul(list(self.importance.values()), moves)
        sums = self._anchored({name: _gradient(parameters[name]) for name in self.anchor})
        torch._foreach_add_(sums, gradients, alpha=scale)
        torch._foreach_mul_(moves, gradients)
        return (_total(moves) + self.spread) / 2

    def state(self) -> dict[str, Any]:
        """Return copies of all tensors in nested dicts, which :meth:`of_state` reads."""
        return copy.deepcopy({"importance": self.importance, "anchor": self.anchor, "spread": self.spread})

    @classmethod
    def of_state(cls, state: Mapping[str, Any], device: torch.device | str) -> QuadraticPenalty:
        """Restore the penalty from its :meth:`state`, on `device`, with storage of its own.

        Raises:
            CheckpointError: The state is none of a penalty.

        Example:
            >>> penalty = QuadraticPenalty({"w": torch.tensor([2.0])}, {"w": torch.tensor([1.0])})
            >>> QuadraticPenalty.of_state(penalty.state(), "cpu")({"w": torch.tensor([4.0])}).item()
            9.0
        """
        shapes = [{name: tensor.shape for name, tensor in state[part].items()} for part in ("importance", "anchor")]
        if shapes[0] != shapes[1] or state["spread"].ndim:
            raise CheckpointError("importances of weights have not the shapes of the weights")
        return cls(
            {name: tensor.to(device, copy=True) for name, tensor in state["importance"].items()},
            {name: tensor.to(device, copy=True) for name, tensor in state["anchor"].items()},
            state["spread"].to(device, copy=True),
        )

    def _anchored(self, tensors: Mapping[str, Tensor]) -> list[Tensor]:
        """Views of the rows that have an anchor."""
        return [_first_rows(tensors[name], anchor) for name, anchor in self.anchor.items()]


def padded(old: Tensor | None, like: Tensor) -> Tensor:
    """Copy `old` and append rows of zeros until it has the shape of `like`; None counts as no rows.

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
