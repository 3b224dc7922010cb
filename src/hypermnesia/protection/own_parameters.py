"""Parameters of which each task has its own, told from generated ones and those left alone by patterns."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import ConfigurationError, did_you_mean
from hypermnesia.layout import ParameterLayout
from hypermnesia.protection.settings import HypernetworkSettings
from hypermnesia.seeds import Seeds


class OwnParameters:
    """Parameters of a module of which each task has its own, and those that are generated.

    Args:
        module: Module whose parameters are divided; what its values are at first is where tasks start.
        settings: The patterns `shared` and `own`, and where own ones start.
        seeds: Seeds of those that are drawn.

    Raises:
        ConfigurationError: There are no parameters, a pattern matches nothing, a parameter is of two kinds, nothing is
            left to generate, or a parameter cannot be drawn.

    Attributes:
        names: Names of the parameters of which each task has its own.
        generated: Names, shapes and order of those that are generated.

    Example:
        >>> module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
        >>> own = OwnParameters(module, HypernetworkSettings(own=("1.*",)), Seeds(0))
        >>> own.names, own.generated.names
        (['1.weight', '1.bias'], ('0.weight', '0.bias'))
    """

    def __init__(self, module: nn.Module, settings: HypernetworkSettings, seeds: Seeds) -> None:
        self._module, self._seeds, self._drawn = module, seeds, settings.own_start == "drawn"
        trainable = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
        _check_patterns("shared", settings.shared, [name for name, _ in module.named_parameters()])
        _check_patterns("own", settings.own, trainable)
        self.names = [name for name in trainable if _matches(name, settings.own)]
        if both := [name for name in self.names if _matches(name, settings.shared)]:
            raise ConfigurationError(
                f"shared and own: '{both[0]}' matches patterns of both, but all tasks share a parameter or each has its"
                " own; make the patterns narrower"
            )
        kept = (*settings.shared, *settings.own)
        if not any(True for _ in module.parameters()):
            raise ConfigurationError(
                f"the module, a {type(module).__name__}, has no parameters, so there is nothing to generate: give a"
                " network with weights"
            )
        if all(_matches(name, kept) for name in trainable):
            raise ConfigurationError(
                "nothing is left for the hypernetwork to generate: every parameter is frozen or matches shared or own;"
                " leave some out"
            )
        self.generated = ParameterLayout.of(module, lambda name, _: not _matches(name, kept))
        self._check_drawn()

    def of_new_task(self, task: int) -> dict[str, nn.Parameter]:
        """Make the parameters that a new task has of its own, by name.

        Args:
            task: Its number.
        """
        first = dict(self._module.named_parameters())
        for name in self.names if self._drawn else ():
            place, _, last = name.rpartition(".")
            layer: Any = detached_copy(self._module.get_submodule(place))
            with self._seeds.child("task", task, "own", place).default_generator():
                layer.reset_parameters()
            first[name] = layer.get_parameter(last)
        return {name: nn.Parameter(_learnable(first[name].detach()).clone()) for name in self.names}

    def _check_drawn(self) -> None:
        for name in self.names if self._drawn else ():
            layer = self._module.get_submodule(name.rpartition(".")[0])
            if not callable(getattr(layer, "reset_parameters", None)):
                raise ConfigurationError(
                    f"own_start: '{name}' cannot be drawn anew: its layer, a {type(layer).__name__}, has no method"
                    " reset_parameters; set own_start to 'module'"
                )


def _learnable(tensor: Tensor) -> Tensor:
    """Values in a type precise enough for small steps."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_patterns(setting: Literal["shared", "own"], patterns: Sequence[str], names: Sequence[str]) -> None:
    """Refuse patterns that match nothing: a typo would silently protect what was to be left alone."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
            raise ConfigurationError(
                f"{setting}: no{' trainable' if setting == 'own' else ''} parameter matches '{pattern}'."
                f"{did_you_mean(pattern, names)} Allowed are patterns such as 'encoder.*'; parameters: {shown}."
            )
