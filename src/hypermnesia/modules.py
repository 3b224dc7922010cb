"""Modules as they are called: with tensors of their own or given ones, each part in the mode its maker left it in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parallel import DataParallel, DistributedDataParallel

from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.inputs import Inputs
from hypermnesia.seeds import Seeds

Result = TypeVar("Result")


def answer(module: nn.Module, inputs: Inputs) -> Tensor:
    """Call a module with inputs, and return its answer.

    Of a dictionary the module gets the parts by name, of a tuple by place.

    Args:
        module: Any module.
        inputs: Inputs that it takes.

    Returns:
        The tensor in what it returns, as :func:`answer_of` finds it.

    Example:
        >>> from hypermnesia.inputs import Tree
        >>> answer(nn.Bilinear(2, 2, 3), Tree((torch.zeros(5, 2), torch.zeros(5, 2)))).shape
        torch.Size([5, 3])
    """
    return answer_of(called(module, inputs))


def answer_with(module: nn.Module, tensors: dict[str, Tensor], inputs: Inputs) -> Tensor:
    """Call a module that has other parameters and buffers than its own meanwhile, and return its answer.

    Args:
        module: Any module.
        tensors: Parameters and buffers by name; buffers that the module replaces replace them in here.
        inputs: Inputs that it takes.
    """
    if isinstance(inputs, Tensor):
        return answer_of(_called_with(module, tensors, (inputs,)))
    return answer_of(_called_with(module, tensors, *inputs.arguments()))


def loss_and_answer_with(
    module: nn.Module, tensors: dict[str, Tensor], inputs: Inputs, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Call a module with labels too, and return the loss that it returns, and its answer.

    Arguments are those of :func:`answer_with`, and labels, which the module gets as `labels=…`.

    Raises:
        DataError: It returns no loss.
    """
    positional, named = ((inputs,), {}) if isinstance(inputs, Tensor) else inputs.arguments()
    outputs = _called_with(module, tensors, positional, {**named, "labels": labels})
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
    if not isinstance(loss, Tensor) or loss.ndim:
        raise DataError(
            f"the criterion is the loss that the module returns when it is given labels=…, but {type(module).__name__}"
            f" returned a {type(outputs).__name__} without a number `loss`: let it return one, or give a criterion"
        )
    if isinstance(outputs, Mapping):
        outputs = {name: part for name, part in outputs.items() if name != "loss"}
    return loss, answer_of(outputs)


def answer_of(outputs: Any) -> Tensor:
    """Find the answer in what a module returns: a tensor, the entry or attribute `logits`, or the first of a tuple.

    Args:
        outputs: What it returns. A dictionary without `logits` has an answer only if it has nothing else. What has none
            is returned as it is, to be refused before anything is learned.

    Example:
        >>> answer_of({"logits": torch.zeros(1), "hidden": torch.ones(1)}), answer_of((torch.zeros(1), torch.ones(1)))
        (tensor([0.]), tensor([0.]))
    """
    if isinstance(outputs, Tensor):
        return outputs
    named = outputs.get("logits") if isinstance(outputs, Mapping) else getattr(outputs, "logits", None)
    parts = list(outputs.values()) if isinstance(outputs, Mapping) else outputs
    if isinstance(named, Tensor):
        return named
    if isinstance(parts, (tuple, list)) and parts and (len(parts) == 1 or not isinstance(outputs, Mapping)):
        return parts[0]  # type: ignore[no-any-return]
    return outputs  # type: ignore[no-any-return]


def called(module: nn.Module, inputs: Inputs) -> Any:
    """Call a module with inputs, and return all that it returns."""
    if isinstance(inputs, Tensor):
        return module(inputs)
    positional, named = inputs.arguments()
    return module(*positional, **named)


def check_takes_weights(module: nn.Module) -> None:
    """Refuse a module that `torch.func.functional_call` cannot call with other weights than its own.

    Raises:
        ConfigurationError: The text names the part and what to do.

    Example:
        >>> check_takes_weights(nn.Linear(2, 2))
    """
    for name, part in module.named_modules():
        where = f"its part '{name}'" if name else "it"
        if isinstance(part, DataParallel | DistributedDataParallel):
            raise ConfigurationError(
                f"the module cannot be called with other weights than its own, because {where} is a"
                f" {type(part).__name__}: give what is in it, its attribute 'module'"
            )


def check_uses_weights(module: nn.Module, inputs: Inputs) -> None:
    """Refuse a module that computes with other weights than those that it is given.

    A forward method that belongs to another object, for instance, or a part that keeps weights outside of its
    parameters, takes no notice of `functional_call`. Moved weights must move the outputs, and get gradients, as they do
    when they are the module's own.

    Args:
        module: Any module; it is not changed.
        inputs: Inputs `[n, ...]` that it takes.

    Raises:
        ConfigurationError: The text names a parameter.

    Example:
        >>> check_uses_weights(nn.Linear(2, 3), torch.ones(1, 2))
    """
    own, other = detached_copy(module).eval(), detached_copy(module).eval()
    generator = torch.Generator().manual_seed(0)
    moved = {}
    for name, parameter in own.named_parameters():
        if parameter.requires_grad:
            with torch.no_grad():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
                parameter.add_((0.1 * noise).to(parameter))
            moved[name] = parameter.detach().clone().requires_grad_()
    if not moved:
        return

    def answered(module: nn.Module) -> Tensor:
        with Seeds(0).default_generator():
            outputs = answer(module, inputs)
        outputs.float().sum().backward()
        return outputs.detach()

    with torch.enable_grad():
        expected = answered(own)
        found = holding(other, moved, lambda: answered(other))
    gradients = {name: parameter.grad for name, parameter in own.named_parameters()}
    # A copy that uses none of its own has kept a forward function of the original.
    used = [name for name in moved if gradients[name] is not None] or list(moved)
    ignored = [name for name in used if moved[name].grad is None]
    if not ignored and torch.allclose(found, expected, rtol=1e-2, atol=1e-2, equal_nan=True):
        return
    raise ConfigurationError(
        f"the module does not compute with the weights that it is given, such as '{(ignored or list(moved))[0]}': let"
        " forward be a method of the class that uses the parameters of its own object, not a function or copies of"
        " values that belong to another"
    )


def holding(module: nn.Module, tensors: dict[str, Tensor], action: Callable[[], Result]) -> Result:
    """Call a function while a module has other parameters and buffers than its own.

    `torch.func.functional_call` gives a module other weights for a forward pass. What computes again in the backward
    pass (`torch.utils.checkpoint`) needs them until the gradient is there.

    Args:
        module: Any module; afterwards it is as before.
        tensors: Parameters and buffers by name. Buffers that the module has replaced meanwhile replace them in here.
        action: Function without arguments.

    Returns:
        What the function returns.

    Example:
        >>> module = nn.Linear(1, 1)
        >>> holding(module, {"weight": torch.ones(1, 1), "bias": torch.zeros(1)}, lambda: module(torch.ones(1, 1)))
        tensor([[1.]])
    """
    held = {f"module.{name}": tensor for name, tensor in tensors.items()}
    result: Result = _called_with(_Holder(module), held, (action,))
    tensors.update({name: held[f"module.{name}"] for name in tensors})
    return result


def _called_with(
    module: nn.Module, tensors: dict[str, Tensor], positional: tuple[Any, ...], named: dict[str, Any] | None = None
) -> Any:
    """As `torch.func.functional_call`, also where a module has one part under several names.

    That function exchanges the tensors of such a part once for each name, and so leaves the new ones behind in it.
    """
    parts = dict(module.named_modules())
    if len(parts) == sum(1 for _ in module.named_modules(remove_duplicate=False)):
        return functional_call(module, tensors, positional, named)
    own = [
        (f"{place}.{name}" if place else name, tensor)
        for place, part in parts.items()
        for name, tensor in (*part._parameters.items(), *part._buffers.items())
        if tensor is not None
    ]
    new = {id(tensor): tensors[name] for name, tensor in own if name in tensors}
    tied = {name: new[id(tensor)] for name, tensor in own if id(tensor) in new}
    result = functional_call(module, tied, positional, named, tie_weights=False)
    tensors.update({name: tied[name] for name in tensors if name in tied})
    return result


class _Holder(nn.Module):
    """A module around another, so that `functional_call` calls any function while the inner one has other weights."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, action: Callable[[], Result]) -> Result:
        return action()


@contextlib.contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module in evaluation mode, and afterwards each of its parts back in the mode in which it was.

    Example:
        >>> module = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())
        >>> with evaluation_mode(module):
        ...     [part.training for part in module]
        [False, False]
        >>> [part.training for part in module]
        [True, False]
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def resting_parts(module: nn.Module) -> list[str]:
    """Return the names of the parts that are in evaluation mode.

    Example:
        >>> resting_parts(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval()))
        ['1']
    """
    return [name for name, part in module.named_modules() if not part.training]


def put_to_rest(module: nn.Module, names: list[str]) -> None:
    """Put a module in training mode but for the parts of these names, which it has."""
    module.train()
    for name in names:
        module.get_submodule(name).training = False
