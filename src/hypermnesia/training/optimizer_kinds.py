"""Which optimizers there are to choose from, and which arguments they take."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args, get_origin

import torch
from torch.optim import Optimizer

from hypermnesia.errors import did_you_mean, shown
from hypermnesia.regularizers.candidate import SUPPORTED
from hypermnesia.settings import own_number

OPTIMIZERS: dict[str, type[Optimizer]] = dict(sorted((kind.__name__.lower(), kind) for kind in SUPPORTED))
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


def plain_argument(value: Any) -> Any:
    """Return an argument as settings hold it: Python's own numbers, and lists as tuples, whoever has made them.

    Example:
        >>> plain_argument([None, 1])
        (None, 1)
    """
    return tuple(map(own_number, value)) if isinstance(value, list | tuple) else own_number(value)


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
        wanted = inspect.signature(kind).parameters[argument].annotation
        if not _fits(arguments[argument], wanted):
            raise ValueError(
                f"optimizer_arguments: {argument} of {name} must be {_described(wanted)}, not"
                f" {shown(arguments[argument])}"
            )
    weight = torch.zeros(2, 2, requires_grad=True)
    weight.grad = torch.ones(2, 2)
    try:
        kind([weight], **{"lr": 1e-3, **own, **arguments}).step()  # some arguments are looked at in a step only
    except Exception as error:  # whatever its class raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"optimizer_arguments: {name} cannot be made with {shown(dict(arguments))} ({reason})"
        ) from error


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value is of the type that the signature of an optimizer's class names; of one unknown here, it is."""
    parts = get_args(wanted)
    if get_origin(wanted) is tuple:
        return isinstance(value, tuple) and len(value) == len(parts) and all(map(_fits, value, parts))
    if parts:
        return any(_fits(value, part) for part in parts)
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(wanted, type) or isinstance(value, wanted)


def _described(wanted: Any) -> str:
    """The type that a signature names, in words."""
    parts = get_args(wanted)
    if get_origin(wanted) is tuple:
        none = " (null for none)" if any(NoneType in get_args(part) for part in parts) else ""
        return f"a list of {len(parts)} numbers{none}"
    if parts:
        return " or ".join(_described(part) for part in parts if part is not torch.Tensor)
    words = {float: "a finite number", int: "a whole number", bool: "true or false", str: "a text", NoneType: "null"}
    return words.get(wanted, str(wanted))
