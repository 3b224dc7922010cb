"""Optimizers made from settings, and the learning rate over a task."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia.errors import ConfigurationError, did_you_mean
from hypermnesia.training.optimizer_kinds import OPTIMIZERS, OWN_SETTINGS, takes
from hypermnesia.training.settings import ParameterGroup, TrainingSettings

_FACTOR = "rate_factor"
"""Key of a parameter group, under which the factor of its learning rate stands."""
_DECAY = "decay"
"""Key of a parameter group, under which its weight decay stands, whoever lets it decay."""
_FUSED = ("sgd", "adam", "adamw")
_DECOUPLED = ("adamw", "adafactor", "muon")
"""Optimizers that shrink parameters beside the step, instead of adding to the gradient."""


def make_optimizer(
    parameters: Mapping[str, nn.Parameter],
    settings: TrainingSettings,
    factors: Mapping[Tensor, float] | None = None,
    decayed_elsewhere: Collection[Tensor] = (),
) -> Optimizer:
    """Make a new optimizer, in the fastest form that the device of the parameters has.

    On a CUDA device its state and learning rates live there where it can, so that a step can be captured in a graph.

    Args:
        parameters: Parameters to optimize, by name.
        settings: Settings of the optimizer.
        factors: Factors of the learning rate of some parameters, beside those of the settings' groups.
        decayed_elsewhere: Parameters whose weight decay is left to :func:`decay_rows`.

    Raises:
        ConfigurationError: The optimizer takes other parameters only.

    Example:
        >>> weight = nn.Parameter(torch.zeros(2))
        >>> type(make_optimizer({"weight": weight}, TrainingSettings(optimizer="sgd"))).__name__
        'SGD'
    """
    kind = OPTIMIZERS[settings.optimizer]
    kinds: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        group = group_of(name, settings.groups)
        decay = settings.weight_decay if group is None or group.weight_decay is None else group.weight_decay
        factor = (factors or {}).get(parameter, 1.0) * (1.0 if group is None else group.rate_factor)
        kinds.setdefault((factor, decay, parameter in decayed_elsewhere), []).append(parameter)
    _check_shapes(settings.optimizer, parameters)
    device = next(iter(parameters.values())).device
    groups: list[dict[str, Any]] = [
        {"params": alike, _FACTOR: factor, _DECAY: decay, **_decays(kind, decay, elsewhere)}
        for (factor, decay, elsewhere), alike in kinds.items()
    ]
    options: dict[str, Any] = {"lr": settings.learning_rate, **settings.optimizer_arguments}
    options |= {name: getattr(settings, name) for name in OWN_SETTINGS.get(settings.optimizer, ())}
    if settings.optimizer in _FUSED:
        # Fused ones take real floating-point numbers only.
        real = all(parameter.is_floating_point() for parameter in parameters.values())
        options["fused"] = real and device.type in ("cpu", "cuda", "mps")
    if takes(kind, "capturable"):
        options["capturable"] = device.type == "cuda"
    if device.type == "cuda" and is_capturable(settings.optimizer):
        for each in groups:
            each["lr"] = torch.tensor(settings.learning_rate, device=device)
    return kind(groups, **options)


def group_of(name: str, groups: Sequence[ParameterGroup]) -> ParameterGroup | None:
    """Return the first group with a pattern that matches the name of a parameter; None where there is none."""
    return next((group for group in groups if any(fnmatchcase(name, pattern) for pattern in group.parameters)), None)


def check_groups(groups: Sequence[ParameterGroup], names: Collection[str]) -> None:
    """Refuse patterns that match no parameter.

    Raises:
        ConfigurationError: There is such a pattern.
    """
    for pattern in (pattern for group in groups for pattern in group.parameters):
        if not any(fnmatchcase(name, pattern) for name in names):
            listed = list(names)
            told = ", ".join(listed[:8]) + (", …" if len(listed) > 8 else "")
            raise ConfigurationError(
                f"training.groups: no parameter matches '{pattern}'.{did_you_mean(pattern, listed)} Parameters: {told}."
            )


def is_capturable(name: str) -> bool:
    """Return whether a CUDA graph can capture steps of the optimizer of that name."""
    return name == "sgd" or takes(OPTIMIZERS[name], "capturable")


def _decays(kind: type[Optimizer], decay: float, elsewhere: bool) -> dict[str, float]:
    """Arguments of a parameter group by which it decays, or does not."""
    arguments = {"weight_decay": 0.0 if elsewhere else decay} if takes(kind, "weight_decay") else {}
    # ASGD shrinks all parameters a little, those without a gradient too.
    return {**arguments, "lambd": 0.0} if elsewhere and takes(kind, "lambd") else arguments


def _check_shapes(name: str, parameters: Mapping[str, Tensor]) -> None:
    if name == "muon" and (other := next((n for n, p in parameters.items() if p.ndim != 2), None)) is not None:
        raise ConfigurationError(
            f"training.optimizer: muon takes matrices only, but '{other}' has shape {list(parameters[other].shape)}:"
            " choose another optimizer, such as adamw"
        )


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
    decoupled = settings.optimizer in _DECOUPLED or settings.optimizer_arguments.get("decoupled_weight_decay", False)
    for group in optimizer.param_groups:
        for parameter in group["params"] if group[_DECAY] else ():
            if parameter not in rows or parameter.grad is None:
                continue
            part = parameter[rows[parameter]]
            if decoupled:
                part.mul_(1 - group["lr"] * group[_DECAY])
            else:
                parameter.grad[rows[parameter]].add_(part, alpha=group[_DECAY])


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of all parameter groups, in place where it is a tensor that a CUDA graph reads."""
    for group in optimizer.param_groups:
        of_group = rate * group[_FACTOR]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(of_group)
        else:
            group["lr"] = of_group


def learning_rate(settings: TrainingSettings, iteration: int, iterations: int, epoch: float = 0.0) -> float:
    """Return the learning rate that warm-up and schedule give a step, which depends on the step's number alone.

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
    if iteration < settings.warm_up:
        factor *= (iteration + 1) / (settings.warm_up + 1)
    return settings.learning_rate * factor
