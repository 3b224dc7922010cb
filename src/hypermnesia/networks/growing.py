"""A classifier whose head grows as classes arrive."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import is_parametrized

from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import ConfigurationError
from hypermnesia.inputs import Inputs
from hypermnesia.module_copies import twin_of, with_tensors
from hypermnesia.modules import answer, answer_of


class GrowingClassifier(nn.Module):
    """Copy of a module whose head starts without outputs and gets more as classes arrive.

    The head is one of the module's linear layers, or of its convolutions; :func:`head_of` finds it. Its
    parameters are new ones whenever the number of outputs changes: make optimizers after that, and load a state into a
    classifier that has grown as far.

    Args:
        module: Classifier that ends in an `nn.Linear`, or in a convolution; it is copied, not changed.
        head: Name of the layer that grows; None for the last linear one in the order of `module.named_modules()`, or
            the last convolution where there is none.

    Raises:
        ConfigurationError: There is no layer that can grow, or its width is not known yet.

    Example:
        >>> classifier = GrowingClassifier(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10)))
        >>> classifier.grow(2)
        >>> classifier(torch.rand(5, 4)).shape
        torch.Size([5, 2])
    """

    def __init__(self, module: nn.Module, head: str | None = None) -> None:
        super().__init__()
        layers = _layers(module, nn.Linear) or _layers(module)
        if not layers:
            raise ConfigurationError(_no_head(module))
        if head is None:
            head = next((name for name in reversed(layers) if _why_not(module, name) is None), layers[-1])
        if (why_not := _why_not(module, head)) is not None:
            raise ConfigurationError(why_not)
        self.module = detached_copy(module)
        self._head_name = head
        if isinstance(self._head.weight, UninitializedParameter):
            raise ConfigurationError(
                f"the head, '{self._head_name}', has no width yet: call the module once on an example input first"
            )
        self.shrink(self.num_outputs)

    @property
    def head_name(self) -> str:
        """Name of the head in the module."""
        return self._head_name

    @property
    def num_outputs(self) -> int:
        """Number of outputs of the head so far."""
        return len(self._head.weight)

    def head_parameters(self) -> list[nn.Parameter]:
        """Return the trained parameters of the head, which have a row for each output."""
        return [p for p in self._head.parameters() if p.requires_grad and len(p) == self.num_outputs]

    def forward(self, *inputs: Any, **named: Any) -> Float[Tensor, "inputs outputs *elements"]:
        """Return the logits of all classes that have arrived, `[inputs, num_outputs]`.

        Args:
            inputs: Arguments of the module.
            named: Arguments of the module by name.
        """
        return answer_of(self.module(*inputs, **named))

    def grow(self, outputs: int, generator: torch.Generator | None = None) -> None:
        """Add outputs behind the old ones, which keep their weights bit for bit.

        New weights start Xavier-uniform, new biases at zero. They are drawn on the CPU: the same generator gives the
        same weights on any device.

        Args:
            outputs: Number of outputs to add, at least 0.
            generator: Generator of the new weights, on the CPU; None for the global one.

        Raises:
            ConfigurationError: `outputs` is negative.
        """
        if outputs < 0:
            raise ConfigurationError(f"a head grows by 0 or more outputs, not by {outputs}: to drop some, shrink it")
        weight, bias = self._head.weight.detach(), self._head.bias
        channels, *kernel = weight.shape[1:]
        bound = math.sqrt(6 / ((channels + self.num_outputs + outputs) * math.prod(kernel)))
        new = torch.empty(outputs, *weight.shape[1:], dtype=weight.dtype)
        new.uniform_(-bound, bound, generator=generator)
        self._set_head(
            torch.cat([weight, new.to(weight.device)]),
            None if bias is None else functional.pad(bias.detach(), (0, outputs)),
        )

    def shrink(self, outputs: int) -> None:
        """Drop the newest outputs, as if they had never been added; the others keep their weights bit for bit.

        Args:
            outputs: Number of outputs to drop, from 0 to all.

        Raises:
            ConfigurationError: There are not as many, or `outputs` is negative.
        """
        if not 0 <= outputs <= self.num_outputs:
            raise ConfigurationError(f"a head of {self.num_outputs} outputs cannot drop {outputs} of them")
        kept = self.num_outputs - outputs
        weight, bias = self._head.weight, self._head.bias
        self._set_head(weight.detach()[:kept].clone(), None if bias is None else bias.detach()[:kept].clone())

    def clear(self, outputs: slice) -> None:
        """Put zeros in the place of the weights of some outputs.

        Args:
            outputs: Outputs to clear.
        """
        cleared = [None if p is None else p.detach().clone() for p in (self._head.weight, self._head.bias)]
        for tensor in cleared:
            if tensor is not None:
                tensor[outputs] = 0
        weight, bias = cleared
        assert weight is not None
        self._set_head(weight, bias)

    def with_outputs(self, outputs: slice) -> nn.Module:
        """Make a copy of the module that shares all other tensors with it, and whose head has some of the outputs.

        Args:
            outputs: Outputs of the head that the copy has.

        Example:
            >>> classifier = GrowingClassifier(nn.Linear(4, 2))
            >>> classifier.grow(5)
            >>> classifier.with_outputs(slice(1, 4))(torch.rand(2, 4)).shape
            torch.Size([2, 3])
        """
        copied = with_tensors(self.module, {})
        head: Any = copied.get_submodule(self._head_name)
        weight, bias = self._head.weight, self._head.bias
        head.weight = nn.Parameter(weight.detach()[outputs].clone(), weight.requires_grad)
        head.bias = None if bias is None else nn.Parameter(bias.detach()[outputs].clone(), bias.requires_grad)
        _note_width(head)
        return copied

    @property
    def _head(self) -> Any:  # a linear layer or a convolution
        # By its name: as an attribute it would be in the state twice.
        return self.module.get_submodule(self._head_name)

    def _set_head(self, weight: Tensor, bias: Tensor | None) -> None:
        head = self._head
        head.weight = nn.Parameter(weight)
        _note_width(head)
        if bias is not None:
            head.bias = nn.Parameter(bias)


@torch.no_grad()
def head_of(module: nn.Module, inputs: Inputs) -> str:
    """Find the linear layer whose outputs are those of a module, wherever in the module it stands.

    That is the layer whose result the module returns or, where something else comes after it such as a softmax, the
    only one whose growth makes the module's outputs grow.

    Args:
        module: Module that gives `[n, outputs]`; it is not changed.
        inputs: Inputs `[n, ...]` that it takes.

    Raises:
        ConfigurationError: There is no such layer, or more than one, or it cannot grow.

    Example:
        >>> head_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Softmax(1)), torch.ones(1, 2))
        '2'
    """
    module = twin_of(module).eval()  # asked for a weight that is computed, some change in training mode
    outputs, results = _results_of_layers(module, inputs)
    layers: dict[str, Any] = dict(module.named_modules())
    wide_enough = [name for name in results if len(layers[name].weight) == outputs.shape[1]]
    returned = [name for name in wide_enough if results[name].is_same(outputs)]
    found = returned or [name for name in wide_enough if _grows(module, name, inputs, outputs.shape[1])]
    if not found:
        raise ConfigurationError(_no_head(module))
    if len(found) > 1:
        raise ConfigurationError(
            f"the outputs of {type(module).__name__} depend on several layers that could grow"
            f" ({', '.join(found)}): let one alone give them, as in nn.Sequential(module, nn.Linear(features, 1))"
        )
    if (why_not := _why_not(module, found[0])) is not None:
        raise ConfigurationError(why_not)
    return found[0]


@torch.no_grad()
def ends_in(module: nn.Module, head: str, inputs: Inputs) -> bool:
    """Tell whether a module returns what its head gives; otherwise something comes after it, such as a softmax.

    Args:
        module: Module that gives `[n, outputs]`; it is not changed.
        head: Name of its head.
        inputs: Inputs `[n, ...]` that it takes.

    Example:
        >>> ends_in(nn.Sequential(nn.Linear(2, 3), nn.Softmax(1)), "0", torch.ones(1, 2))
        False
    """
    outputs, results = _results_of_layers(module, inputs)
    return head in results and results[head].is_same(outputs)


class _Result(NamedTuple):
    """What a layer has given, and its version then; later operations may overwrite it."""

    tensor: Tensor
    version: int

    @classmethod
    def of(cls, tensor: Tensor) -> _Result:
        return cls(tensor, tensor._version)

    def is_same(self, outputs: Tensor) -> bool:
        here = self.tensor.shape == outputs.shape and self.tensor.data_ptr() == outputs.data_ptr()
        return here and self.tensor._version == self.version


def _results_of_layers(module: nn.Module, inputs: Inputs) -> tuple[Tensor, dict[str, _Result]]:
    """Outputs of a module, and the results of those of its layers that are called once."""
    twin = detached_copy(module).eval()
    calls: dict[str, list[_Result]] = {}
    for name in _layers(twin):
        made = calls.setdefault(name, [])
        twin.get_submodule(name).register_forward_hook(lambda _, __, result, made=made: made.append(_Result.of(result)))
    # As it is written: what is compiled calls no hooks.
    with torch.compiler.set_stance("force_eager"):
        outputs = answer(twin, inputs)
    return outputs, {name: made[0] for name, made in calls.items() if len(made) == 1}


def _grows(module: nn.Module, name: str, inputs: Inputs, outputs: int) -> bool:
    """Whether one output more of a layer is one more of the module."""
    twin = detached_copy(module).eval()
    layer: Any = twin.get_submodule(name)
    if _why_not(module, name) is not None:
        return False
    layer.weight = nn.Parameter(torch.cat([layer.weight, layer.weight[-1:]]))
    if layer.bias is not None:
        layer.bias = nn.Parameter(torch.cat([layer.bias, layer.bias[-1:]]))
    _note_width(layer)
    try:
        grown = answer(twin, inputs)
    except Exception:  # whatever is behind the layer raises
        return False
    return isinstance(grown, Tensor) and grown.ndim > 1 and grown.shape[:2] == (len(inputs), outputs + 1)


def _layers(module: nn.Module, kinds: Any = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)) -> list[str]:
    """Names of layers in which an output is a row of the weight."""
    parts = module.named_modules()
    return [name for name, part in parts if isinstance(part, kinds) and getattr(part, "groups", 1) == 1]


def _note_width(layer: Any) -> None:
    """Let a layer say how many outputs its weight has."""
    setattr(layer, "out_features" if isinstance(layer, nn.Linear) else "out_channels", len(layer.weight))


def _no_head(module: nn.Module) -> str:
    return (
        f"{type(module).__name__} has no nn.Linear that could grow, whose outputs are those of the module: put one"
        " behind it, as in nn.Sequential(module, nn.Flatten(), nn.Linear(features, 1))"
    )


def _why_not(module: nn.Module, name: str) -> str | None:
    """A sentence that says why a layer cannot get outputs; None where it can."""
    layer = module.get_submodule(name)
    if is_parametrized(layer) or not isinstance(layer._parameters.get("weight"), nn.Parameter):
        kinds = ", ".join(type(each).__name__.lstrip("_") for each in layer.modules() if each is not layer)
        return (
            f"the head, '{name or type(layer).__name__}', cannot grow, because its weight is computed from others"
            f"{kinds and f' ({kinds})'}: leave that out (torch.nn.utils.parametrize.remove_parametrizations), or put a"
            " plain nn.Linear behind it"
        )
    shared = [
        other
        for other, part in module.named_modules(remove_duplicate=False)
        if part is not layer and any(p is q for p in part._parameters.values() for q in layer.parameters())
    ]
    if shared:
        return (
            f"the head, '{name}', cannot grow, because it shares its weight with '{shared[0]}': put another nn.Linear"
            " behind it"
        )
    return None
