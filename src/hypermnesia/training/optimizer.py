"""Optimizers made from settings, and the learning rate over a task."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from hypermnesia.training.settings import TrainingSettings


def make_optimizer(parameters: Iterable[nn.Parameter], settings: TrainingSettings) -> Optimizer:
    """Make a new optimizer, in the fastest form that the device of the parameters has.

    On a CUDA device its state and learning rate live there, so that a step can be captured in a graph.

    Example:
        >>> weight = nn.Parameter(torch.zeros(2))
        >>> type(make_optimizer([weight], TrainingSettings(optimizer="sgd"))).__name__
        'SGD'
    """
    parameters = list(parameters)
    device = parameters[0].device
    on_cuda = device.type == "cuda"
    rate = torch.tensor(settings.learning_rate, device=device) if on_cuda else settings.learning_rate
    options: dict[str, Any] = {"lr": rate, "weight_decay": settings.weight_decay}
    fused = device.type in ("cpu", "cuda", "mps")
    match settings.optimizer:
        case "sgd":
            return SGD(parameters, momentum=settings.momentum, fused=fused, **options)
        case "rmsprop":
            return RMSprop(parameters, momentum=settings.momentum, capturable=on_cuda, **options)
        case "adam":
            return Adam(parameters, betas=settings.betas, fused=fused, capturable=on_cuda, **options)
        case "adamw":
            return AdamW(parameters, betas=settings.betas, fused=fused, capturable=on_cuda, **options)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of all parameter groups, in place where it is a tensor that a CUDA graph reads."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def learning_rate(settings: TrainingSettings, iteration: int, iterations: int) -> float:
    """Return the learning rate of a step, which depends on the settings and the step's number alone.

    Args:
        settings: Settings of the schedule.
        iteration: Number of steps before this one.
        iterations: Number of steps of the whole task.

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
    return settings.learning_rate * factor
