"""Optimizers made from settings, and the learning rate over a task."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from hypermnesia.training.settings import TrainingSettings

_FACTOR = "rate_factor"
"""Key of a parameter group, under which the factor of its learning rate stands."""


def make_optimizer(
    parameters: Iterable[nn.Parameter],
    settings: TrainingSettings,
    factors: Mapping[Tensor, float] | None = None,
    decayed_elsewhere: Collection[Tensor] = (),
) -> Optimizer:
    """Make a new optimizer, in the fastest form that the device of the parameters has.

    On a CUDA device its state and learning rates live there, so that a step can be captured in a graph.

    Args:
        parameters: Parameters to optimize.
        settings: Settings of the optimizer.
        factors: Factors of the learning rate of some parameters; each makes a parameter group.
        decayed_elsewhere: Parameters whose weight decay is left to :func:`decay_rows`.

    Example:
        >>> weight = nn.Parameter(torch.zeros(2))
        >>> type(make_optimizer([weight], TrainingSettings(optimizer="sgd"))).__name__
        'SGD'
    """
    kinds: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in parameters:
        decay = 0.0 if parameter in decayed_elsewhere else settings.weight_decay
        kinds.setdefault(((factors or {}).get(parameter, 1.0), decay), []).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": group, _FACTOR: factor, "weight_decay": decay} for (factor, decay), group in kinds.items()
    ]
    device = groups[0]["params"][0].device
    on_cuda = device.type == "cuda"
    for group in groups if on_cuda else []:
        group["lr"] = torch.tensor(settings.learning_rate, device=device)
    options: dict[str, Any] = {"lr": settings.learning_rate}
    # Fused ones take real floating-point numbers only.
    real = all(parameter.is_floating_point() for group in groups for parameter in group["params"])
    fused = real and device.type in ("cpu", "cuda", "mps")
    match settings.optimizer:
        case "sgd":
            return SGD(groups, momentum=settings.momentum, fused=fused, **options)
        case "rmsprop":
            return RMSprop(groups, momentum=settings.momentum, capturable=on_cuda, **options)
        case "adam":
            return Adam(groups, betas=settings.betas, fused=fused, capturable=on_cuda, **options)
        case "adamw":
            return AdamW(groups, betas=settings.betas, fused=fused, capturable=on_cuda, **options)


@torch.no_grad()
def decay_rows(optimizer: Optimizer, settings: TrainingSettings, rows: Mapping[nn.Parameter, slice]) -> None:
    """Let some rows of parameters decay, as the optimizer would let all of them; called before its step.

    The optimizer's own decay takes whole parameters. Adam and RMSprop, whose steps have the size of the learning rate
    whatever the gradient, would then move rows that have no gradient as fast as those that do.

    Args:
        optimizer: Optimizer made with these parameters in `decayed_elsewhere`.
        settings: Settings it was made with.
        rows: Rows that decay of each of these parameters.
    """
    for group in optimizer.param_groups if settings.weight_decay else ():
        for parameter in group["params"]:
            if parameter not in rows or parameter.grad is None:
                continue
            part = parameter[rows[parameter]]
            if settings.optimizer == "adamw":
                part.mul_(1 - group["lr"] * settings.weight_decay)
            else:
                parameter.grad[rows[parameter]].add_(part, alpha=settings.weight_decay)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of all parameter groups, in place where it is a tensor that a CUDA graph reads."""
    for group in optimizer.param_groups:
        of_group = rate * group[_FACTOR]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(of_group)
        else:
            group["lr"] = of_group


def learning_rate(settings: TrainingSettings, iteration: int, iterations: int, epoch: float = 0.0) -> float:
    """Return the learning rate that the schedule gives a step, which depends on the step's number alone.

    Args:
        settings: Settings of the schedule.
        iteration: Number of steps before this one.
        iterations: Number of steps of the whole task.
        epoch: Number of passes over the examples before this step.

    Example:
        >>> learning_rate(TrainingSettings(learning_rate=0.2, schedule="cosine"), 50, 100)
        0.1
    """
    match settings.schedule:
        case "constant":
            factor = 1.0
        case "cosine":
            factor = 0.5 * (1 + math.cos(math.pi * iteration / iterations))
        case "step":
            factor = settings.step_factor ** (iteration // settings.step_size)
        case "milestones":
            factor = next((factor for after, factor in reversed(settings.milestones) if epoch >= after), 1.0)
    return settings.learning_rate * factor
