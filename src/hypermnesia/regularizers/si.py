"""Synaptic Intelligence: the importance of a parameter is how much its moves have lowered the loss of a task."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hypermnesia.regularizers.quadratic import QuadraticPenalty, padded


class PathIntegral:
    """Path integral of the gradient: how much the moves of each parameter have lowered the loss of one task.

        ω_i = −Σ over steps of g_i Δθ_i

    with `g` the gradient of the task's loss alone and `Δθ` the optimizer's step. Sums are kept in place, in tensors
    made once.

    Source: Zenke, Poole and Ganguli, Continual learning through synaptic intelligence, ICML 2017, equation 3.

    Args:
        parameters: Parameters θ at the start of the task, by name; copied.

    Attributes:
        start: Copies of the parameters at the start of the task, by name.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
        >>> integral = PathIntegral({"w": weight})
        >>> weight.grad = torch.tensor([2.0])
        >>> integral.record({"w": weight})
        >>> torch.optim.SGD([weight], lr=0.25).step()
        >>> integral.finish({"w": weight})["w"].item()
        1.0
    """

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self.start = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        self._values = {name: torch.zeros_like(tensor) for name, tensor in self.start.items()}
        self._before = {name: tensor.clone() for name, tensor in self.start.items()}
        # Before the first step there is none to credit: a gradient of zeros says so without a branch.
        self._gradients = {name: torch.zeros_like(tensor) for name, tensor in self.start.items()}

    @torch.no_grad()
    def record(self, parameters: Mapping[str, Tensor]) -> None:
        """Credit the previous step, and remember the start of the next one.

        Call it in every step, when `grad` holds the gradient of the task's loss alone and before the optimizer uses it.

        Args:
            parameters: Parameters θ by name, each with its `grad`; a missing one counts as zeros.
        """
        self._credit(parameters)
        for name, gradient in self._gradients.items():
            new = parameters[name].grad
            if new is None:
                gradient.zero_()
            else:
                gradient.copy_(new)

    @torch.no_grad()
    def finish(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Credit the last step.

        Args:
            parameters: Parameters θ at the end of the task, by name.

        Returns:
            Path integral ω by name, copied.
        """
        self._credit(parameters)
        for gradient in self._gradients.values():
            gradient.zero_()
        return {name: values.clone() for name, values in self._values.items()}

    def state(self) -> dict[str, Any]:
        """Return copies of all tensors in nested dicts, which :meth:`load_state` reads."""
        return copy.deepcopy(self._parts)

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, which is copied and may be on another device.

        Args:
            state: State of an object made from parameters of the same names and shapes.
        """
        for part, tensors in self._parts.items():
            for name, tensor in tensors.items():
                tensor.copy_(state[part][name])

    def tensors(self) -> list[Tensor]:
        """Return all that steps change, in place."""
        return [tensor for part in self._parts.values() for tensor in part.values()]

    @property
    def _parts(self) -> dict[str, dict[str, Tensor]]:
        return {"start": self.start, "values": self._values, "before": self._before, "gradients": self._gradients}

    def _credit(self, parameters: Mapping[str, Tensor]) -> None:
        now = [parameters[name].detach() for name in self._before]
        before = list(self._before.values())
        # The move, backwards: minus is in it, and no temporary is needed.
        torch._foreach_sub_(before, now)
        torch._foreach_addcmul_(list(self._values.values()), list(self._gradients.values()), before)
        torch._foreach_copy_(before, now)


@torch.no_grad()
def with_task(
    penalty: QuadraticPenalty,
    integral_values: Mapping[str, Tensor],
    start: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    damping: float,
) -> QuadraticPenalty:
    """Add a task's importance, 2 max(ω, 0) / ((θ_end − θ_start)² + ξ), to a penalty, and anchor it at θ_end.

    The 2 makes of ½ Σ_i importance_i (θ_i − anchor_i)² the surrogate loss Σ_i Ω_i (θ_i − anchor_i)², which has no ½.

    A negative ω, of a parameter whose moves have raised the loss, adds nothing to the importance: it would push the
    parameter away from the anchor. The paper leaves it open. The authors' own program clips the sum over tasks, after
    each task, instead of each task's part.

    Source: Zenke, Poole and Ganguli, Continual learning through synaptic intelligence, ICML 2017, equations 4 and 5.

    Args:
        penalty: Penalty of the earlier tasks; an empty one for the first task.
        integral_values: Path integral ω by name, as from `PathIntegral.finish`. Other parameters of the penalty keep
            importance and anchor.
        start: Parameters θ_start by name, as in `PathIntegral.start`.
        parameters: Parameters θ_end by name; copied. They may have more rows than those of the penalty.
        damping: Damping ξ > 0, which bounds the importance of a parameter that hardly moved.

    Returns:
        A new penalty; the old one stays as it is.

    Example:
        >>> start, end = {"w": torch.tensor([1.0])}, {"w": torch.tensor([3.0])}
        >>> with_task(QuadraticPenalty(), {"w": torch.tensor([5.0])}, start, end, 1.0).importance["w"].item()
        2.0
    """
    importance, anchor = dict(penalty.importance), dict(penalty.anchor)
    for name, values in integral_values.items():
        end = parameters[name].detach()
        added = 2 * values.clamp(min=0) / ((end - start[name]).square() + damping)
        importance[name] = padded(importance.get(name), end) + added
        anchor[name] = end.clone()
    return QuadraticPenalty(importance, anchor, torch.zeros_like(penalty.spread))
