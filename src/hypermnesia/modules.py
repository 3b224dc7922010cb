"""Modules as their makers have left them: copied or refused, and each part put back in its mode."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.inputs import Inputs
from hypermnesia.seeds import Seeds

Result = TypeVar("Result")


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
        copied = copy.deepcopy(module)
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
    own, other = copy.deepcopy(module).eval(), copy.deepcopy(module).eval()
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
    return copy.deepcopy(module, taken)


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
    return copy.deepcopy(module, {id(p): p for p in module.parameters() if not p.requires_grad})


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
        if isinstance(part, torch.jit.ScriptModule):
            where = f"its part '{name}'" if name else "it"
            raise ConfigurationError(
                f"the module cannot be copied with its gradients, because {where} is"
                " compiled by torch.jit: give the module that it was made from (torch.compile may be used instead)"
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
    made = next((n for n, t in vars(module.get_submodule(where)).items() if _is_made_of_others(t)), None)
    what = f"its part '{where}'" if where else "it"
    if made is not None:
        return (
            f"the module cannot be copied, because {what} holds the tensor '{made}', which is computed from others and"
            " carries their gradient: compute it in forward, or delete it first (torch.nn.utils.weight_norm and"
            " spectral_norm make such tensors; those of torch.nn.utils.parametrizations do not)"
        )
    return (
        f"the module cannot be copied, because {what} cannot ({_first_line(error)}): let"
        f" {type(module.get_submodule(where)).__name__} hold nothing that copy.deepcopy refuses, such as locks and"
        " open files, or give it a method __deepcopy__"
    )


def _can_be_copied(part: nn.Module) -> bool:
    try:
        copy.deepcopy(part)
    except Exception:
        return False
    return True


def _is_made_of_others(value: object) -> bool:
    return isinstance(value, Tensor) and not value.is_leaf


def _first_line(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text if len(text) <= 200 else f"{text[:200]}…"
