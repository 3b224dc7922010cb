"""The parameters after an optimizer's next step, without taking it: Θ_h + ΔΘ_h of the output regularizer."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import LBFGS, Optimizer, SparseAdam

from hypermnesia.errors import ConfigurationError

SUPPORTED: tuple[type[Optimizer], ...] = tuple(
    kind
    for _, kind in sorted(vars(torch.optim).items())
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind not in (Optimizer, LBFGS, SparseAdam)
)
"""Optimizers whose step depends on parameters, dense gradients and their state alone: those of torch.optim but two."""


def lookahead(
    optimizer: Optimizer, gradients: Mapping[Tensor, Tensor] | None = None, *, only: Collection[Tensor] | None = None
) -> list[Tensor]:
    """Compute the parameters after the next `optimizer.step()`; optimizer and parameters stay as they are.

    The optimizer's own step runs on copies of its parameters and state, so the result equals a real step bit for
    bit, with every option of the optimizer.

    Args:
        optimizer: Optimizer of `torch.optim`, such as SGD, Adam, AdamW or RMSprop.
        gradients: Gradient of each parameter, computed with `create_graph=True`: the candidates are then
            differentiable functions of parameters and gradients. None to use `parameter.grad`: the candidates are then
            constants.
        only: Parameters to compute; None for all parameters of the optimizer.

    Returns:
        Candidate for each of these parameters, in the optimizer's order, group by group.

    Raises:
        ConfigurationError: The optimizer is of another kind; or candidates are to be differentiable, and its step is
            not.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> weight.grad = torch.ones(1)
        >>> lookahead(torch.optim.SGD([weight], lr=0.5))[0].item(), weight.item()
        (0.5, 1.0)
    """
    if type(optimizer) not in SUPPORTED:
        names = ", ".join(kind.__name__ for kind in SUPPORTED)
        raise ConfigurationError(
            f"lookahead does not know {type(optimizer).__name__}: use one of {names} of torch.optim, or set lookahead"
            " to 'sgd' or 'none'"
        )
    if gradients is not None and "differentiable" not in optimizer.defaults:
        raise ConfigurationError(
            f"the step of {type(optimizer).__name__} cannot be differentiated: leave gradient_through_lookahead out, or"
            " choose another training.optimizer, such as adam"
        )
    copies: dict[Tensor, Tensor] = {}
    groups: list[dict[str, Any]] = []
    for group in optimizer.param_groups:
        changes: dict[str, Any] = {"params": []}
        if gradients is not None:
            changes |= {"differentiable": True, "fused": False, "foreach": False}
        for parameter in group["params"]:
            if only is not None and parameter not in only:
                continue
            if gradients is None:
                candidate = parameter.detach().clone()
                candidate.grad = parameter.grad
            else:
                candidate = parameter.clone()
                candidate.grad = _finite_derivative(gradients[parameter])
            copies[parameter] = candidate
            changes["params"].append(candidate)
        groups.append(group | changes)

    twin = copy.copy(optimizer)
    twin.defaults = optimizer.defaults | {"differentiable": gradients is not None}
    twin.param_groups = groups
    twin.state = defaultdict(
        dict,
        {
            copies[parameter]: {key: v.clone() if isinstance(v, Tensor) else v for key, v in state.items()}
            for parameter, state in optimizer.state.items()
            if parameter in copies
        },
    )
    # Hooks belong to real steps; the copy shares them.
    twin._optimizer_step_pre_hooks = twin._optimizer_step_pre_hooks.__class__()
    twin._optimizer_step_post_hooks = twin._optimizer_step_post_hooks.__class__()
    twin.step()
    candidates = list(copies.values())
    for candidate in candidates:
        candidate.grad = None
    return candidates


def gradient_step(
    optimizer: Optimizer,
    rate: float | None,
    gradients: Mapping[Tensor, Tensor] | None = None,
    *,
    only: Collection[Tensor] | None = None,
) -> list[Tensor]:
    """Compute the parameters after one gradient step of a rate, whatever the optimizer is.

    The other arguments and the result are those of :func:`lookahead`.

    Args:
        optimizer: Optimizer that has the parameters.
        rate: Rate of the step; None for the learning rate that the optimizer has for each parameter.
        gradients: Gradient of each parameter; None to use `parameter.grad`.
        only: Parameters to compute; None for all.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> weight.grad = torch.ones(1)
        >>> gradient_step(torch.optim.Adam([weight]), rate=0.25)[0].item()
        0.75
    """
    rates = {
        parameter: group["lr"] if rate is None else rate
        for group in optimizer.param_groups
        for parameter in group["params"]
        if only is None or parameter in only
    }
    if gradients is not None:
        return [parameter - of_it * gradients[parameter] for parameter, of_it in rates.items()]
    # Multiplied, not as `alpha`: a rate on the device stays there while a graph records.
    return [p.detach().clone() if p.grad is None else p.detach() - of_it * p.grad for p, of_it in rates.items()]


def _finite_derivative(gradient: Tensor) -> Tensor:
    """Copy a tensor so that no infinite or undefined derivative flows back through it.

    Adam and RMSprop divide by √v, whose derivative is undefined at v = 0: where a gradient has always been exactly
    zero, as that of a weight behind a dead unit.
    """
    gradient = gradient.clone()
    if gradient.requires_grad:
        gradient.register_hook(lambda g: torch.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0))
    return gradient
