"""Copies of what holds modules, in which tensors that were computed are values alone."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Copied = TypeVar("Copied")


def detached_copy(value: Copied, memo: dict[int, Any] | None = None) -> Copied:
    """Copy as `copy.deepcopy` does, also modules that keep what they have computed, such as their last attention.

    A tensor that still carries the gradient of others, which `copy.deepcopy` refuses, is copied without it. Where
    `torch.func.vmap` has called a module, what it kept has no values any more: None takes its place.

    Args:
        value: Anything that can be copied, such as a module; it is not changed.
        memo: What counts as copied already, as `copy.deepcopy` takes it.

    Example:
        >>> module = torch.nn.Linear(1, 1)
        >>> module.last = module(torch.ones(1))
        >>> detached_copy(module).last.requires_grad, module.last.requires_grad
        (False, True)
    """
    with _Detaching():
        return copy.deepcopy(value, memo)


class _Detaching(TorchFunctionMode):
    """Wherever a tensor stands, in lists and other objects too, its own way of being copied is asked for here."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__deepcopy__:
            if torch._C._functorch.is_functorch_wrapped_tensor(args[0]):
                return None
            if not args[0].is_leaf:
                return args[0].detach().clone()
        return func(*args, **(kwargs or {}))
