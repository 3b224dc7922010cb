"""Which optimizers there are to choose from, and which arguments they take."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from hypermnesia.errors import did_you_mean, shown
from hypermnesia.regularizers.candidate import SUPPORTED

OPTIMIZERS: dict[str, type[Optimizer]] = {kind.__name__.lower(): kind for kind in SUPPORTED}
"""Optimizers by name."""

OWN_SETTINGS = {"sgd": ("momentum",), "rmsprop": ("momentum",), "adam": ("betas",), "adamw": ("betas",)}
"""By optimizer, those of its arguments that are settings of training, beside the learning rate and weight decay."""

_NOT_CHOSEN = ("params", "foreach", "fused", "capturable", "differentiable", "maximize")
"""Arguments that say how an optimizer computes, or that a loss is to grow."""


def kind_named(name: str) -> str:
    """Return the name of an optimizer in lower case.

    Raises:
        ValueError: There is none of that name, or its step takes more than a gradient.

    Example:
        >>> kind_named("NAdam")
        'nadam'
    """
    if name.lower() in OPTIMIZERS:
        return name.lower()
    if name.lower() in ("lbfgs", "sparseadam"):
        needs = "the loss several times a step" if name.lower() == "lbfgs" else "sparse gradients"
        raise ValueError(f"{name} needs {needs}; choose one of {', '.join(OPTIMIZERS)}")
    meant = did_you_mean(name.lower(), OPTIMIZERS)
    raise ValueError(f"{shown(name)} is not allowed.{meant} Allowed: {', '.join(OPTIMIZERS)}")


def takes(kind: type[Optimizer], argument: str) -> bool:
    """Return whether an optimizer's class takes an argument of that name.

    Example:
        >>> takes(torch.optim.Rprop, "weight_decay")
        False
    """
    return argument in inspect.signature(kind).parameters


def check_arguments(name: str, arguments: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse arguments that an optimizer does not take, or that other settings have.

    Args:
        name: Name of the optimizer.
        arguments: Further arguments of its class.
        own: Those that are settings.

    Raises:
        ValueError: The text says which, and what is allowed.

    Example:
        >>> check_arguments("adam", {"amsgrad": True}, {})
    """
    if not arguments:
        return
    kind = OPTIMIZERS[name]
    of_settings = {"lr": "learning_rate", **{each: each for each in ("weight_decay", *OWN_SETTINGS.get(name, ()))}}
    allowed = [each for each in inspect.signature(kind).parameters if each not in (*_NOT_CHOSEN, *of_settings)]
    for argument in arguments:
        if argument in of_settings:
            raise ValueError(f"optimizer_arguments: {argument} is a setting of its own; set {of_settings[argument]}")
        if argument not in allowed:
            meant = did_you_mean(argument, allowed)
            raise ValueError(
                f"optimizer_arguments: {name} has no argument {shown(argument)} to choose.{meant} Allowed here:"
                f" {', '.join(allowed) or 'none'}"
            )
    try:
        kind([torch.zeros(2, 2)], **{"lr": 1e-3, **own, **arguments})
    except Exception as error:  # whatever its class raises
        raise ValueError(
            f"optimizer_arguments: {name} cannot be made with {shown(dict(arguments))} ({error})"
        ) from error
