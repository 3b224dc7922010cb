"""Copies of modules as their makers have left them, or why there can be none; and which tensors are theirs to keep."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import ConfigurationError
from hypermnesia.modules import put_to_rest, resting_parts


def copy_of(module: nn.Module, device: torch.device) -> nn.Module:
    """Copy a module to a device, in the modes in which it is to be trained.

    A part that its maker has put in evaluation mode, such as a frozen batch normalization, stays in it; but a module
    that is in evaluation mode as a whole goes into training mode as a whole, since it was in use before. Embeddings
    give dense gradients in the copy: those of generated weights are dense anyway, and so is what most optimizers take.

    Args:
        module: Any module; it is not changed.
        device: Device of the copy.

    Raises:
        ConfigurationError: It is no module, or one that cannot be copied or moved; the text names the part and what to
            do.

    Example:
        >>> module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval())
        >>> [part.training for part in copy_of(module, torch.device("cpu"))]
        [True, False]
    """
    _check(module)
    try:
        copied = detached_copy(module)
    except Exception as error:  # whatever a part's own copying raises
        raise ConfigurationError(_why_no_copy(module, error)) from error
    try:
        copied.to(device)
    except Exception as error:
        raise ConfigurationError(
            f"the module cannot be moved to {device} ({_first_line(error)}): give one whose parts can, with"
            " parameters and buffers that are plain tensors"
        ) from error
    _put_in_training_mode(copied)
    for part in copied.modules():
        if isinstance(part, nn.Embedding | nn.EmbeddingBag):
            part.sparse = False
    return copied


def with_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Make a copy of a module that has these parameters and buffers, and shares all others with it; none is copied.

    Args:
        module: Any module; it is not changed.
        tensors: Parameters and buffers by name, in the types that the module computes in.

    Example:
        >>> module = nn.Linear(1, 2)
        >>> other = with_tensors(module, {"weight": torch.ones(2, 1)})
        >>> other.weight.sum().item(), other.bias is module.bias
        (2.0, True)
    """
    taken: dict[int, Any] = {}  # what `copy.deepcopy` takes for copied already, whichever parts refer to it
    for name, parameter in module.named_parameters():
        given = tensors.get(name)
        taken[id(parameter)] = parameter if given is None else nn.Parameter(given, parameter.requires_grad)
    for name, buffer in module.named_buffers():
        taken[id(buffer)] = tensors.get(name, buffer)
    return detached_copy(module, taken)


def state_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors in the state dict of a module, by name.

    A part may add a state of its own to them (`get_extra_state`), which may be anything. It is left out, as other
    attributes of modules are.

    Example:
        >>> sorted(state_tensors(nn.Linear(1, 1)))
        ['bias', 'weight']
    """
    return {name: t for name, t in module.state_dict().items() if name.rpartition(".")[2] != "_extra_state"}


def passing_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Return the buffers of a module that its state dict leaves out, by name.

    Example:
        >>> module = nn.Module()
        >>> module.register_buffer("positions", torch.arange(3), persistent=False)
        >>> passing_buffers(module)
        {'positions': tensor([0, 1, 2])}
    """
    kept = state_tensors(module)
    return {name: buffer for name, buffer in module.named_buffers() if name not in kept}


def twin_of(module: nn.Module) -> nn.Module:
    """Copy a module for a trial: whatever it changes in itself when it is called, the original keeps.

    Frozen parameters, which may be many, are there only once.
    """
    return detached_copy(module, {id(p): p for p in module.parameters() if not p.requires_grad})


def _put_in_training_mode(module: nn.Module) -> None:
    # A part's own `train` may keep it in evaluation mode; others are kept there by hand.
    put_to_rest(module, resting_parts(module) if module.training else [])


def _check(module: nn.Module) -> None:
    if isinstance(module, type) and issubclass(module, nn.Module):
        raise ConfigurationError(f"the module must be a network, not its class: give {module.__name__}(...)")
    if not isinstance(module, nn.Module):
        raise ConfigurationError(
            f"the module must be a torch.nn.Module, not a {type(module).__name__}: give a network, or write a class"
            " whose forward calls it"
        )
    for name, part in module.named_modules():
        where = f"its part '{name}'" if name else "it"
        if isinstance(part, torch.jit.ScriptModule):
            raise ConfigurationError(
                f"the module cannot be copied with its gradients, because {where} is"
                " compiled by torch.jit: give the module that it was made from (torch.compile may be used instead)"
            )
        if (computed := _computed_parameter(part)) is not None:
            raise ConfigurationError(
                f"the module cannot be copied, because {where} holds the tensor '{computed}', which is computed from"
                " others and carries their gradient: compute it in forward, or delete it first"
                " (torch.nn.utils.weight_norm and spectral_norm make such tensors; those of"
                " torch.nn.utils.parametrizations do not)"
            )
    for name, tensor in itertools.chain(module.named_parameters(), module.named_buffers()):
        kind = "parameter" if isinstance(tensor, nn.Parameter) else "buffer"
        if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            raise ConfigurationError(
                f"{kind} '{name}' has no shape yet: call the module once on an example input first"
            )
        if tensor.is_meta:
            raise ConfigurationError(
                f"{kind} '{name}' has no values, because it is on the device 'meta': make the module on a real device,"
                " or load its values first"
            )


def _why_no_copy(module: nn.Module, error: Exception) -> str:
    """A sentence that names the innermost part which cannot be copied."""
    where = ""
    for name, part in sorted(module.named_modules(), key=lambda named: named[0].count(".") + bool(named[0])):
        if name and not _can_be_copied(part):
            where = name
    what = f"its part '{where}'" if where else "it"
    return (
        f"the module cannot be copied, because {what} cannot ({_first_line(error)}): let"
        f" {type(module.get_submodule(where)).__name__} hold nothing that copy.deepcopy refuses, such as locks and"
        " open files, or give it a method __deepcopy__"
    )


def _can_be_copied(part: nn.Module) -> bool:
    try:
        detached_copy(part)
    except Exception:
        return False
    return True


def _computed_parameter(part: nn.Module) -> str | None:
    """Name of a tensor that hooks of the old kind compute from parameters, and put where one of its name was."""
    for name, value in vars(part).items():
        of_others = isinstance(value, Tensor) and not value.is_leaf
        if of_others and not {f"{name}_g", f"{name}_orig"}.isdisjoint(part._parameters):
            return name
    return None


def _first_line(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text if len(text) <= 200 else f"{text[:200]}…"
