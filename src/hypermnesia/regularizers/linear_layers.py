"""Squared gradients of single examples, where all parameters belong to linear layers: no such gradient is formed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from hypermnesia.inputs import Inputs

WeightedValues = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Function of outputs [n, outputs] that returns values v and weights w, both [n, values]."""

_VALUES_AT_A_TIME = 32


def squared_gradients(
    outputs: Callable[[dict[str, Tensor], Inputs], Tensor],
    theta: Mapping[str, Tensor],
    inputs: Inputs,
    weighted_values: WeightedValues,
) -> dict[str, Tensor] | None:
    """Compute Σ over examples n and values i of w_ni (∂v_ni/∂θ)², for each parameter.

    For the weight of a linear layer the gradient of one example is the outer product of δ, the gradient with respect to
    the layer's output, and a, its input. The square is the outer product of their squares, so the sum over examples is
    one matrix product, `(Σ_i w_i δ_i²)ᵀ a²`, and all of it costs about as much as backward passes for whole batches.

    Args:
        outputs: Function of parameters by name and n inputs that returns [n, outputs], for each example by itself.
        theta: Parameters θ by name; taken as constants.
        inputs: Inputs of the examples.
        weighted_values: Function of the outputs that returns v and w, for each example by itself.

    Returns:
        Sums by parameter name; None where some parameter is not used exactly once, as weight or bias of a linear layer
        that gets one vector for each example.

    Example:
        >>> theta = {"w": torch.ones(1, 2)}
        >>> squares = squared_gradients(lambda p, x: functional.linear(x, p["w"]), theta, torch.tensor([[1.0, 2.0]]),
        ...                             lambda outputs: (outputs, torch.ones_like(outputs)))
        >>> squares["w"]
        tensor([[1., 4.]])
    """
    if (layers := layer_gradients(outputs, theta, inputs, weighted_values)) is None:
        return None
    calls, gradients_and_weights = layers
    weighted = [torch.zeros(call.shape, device=call.inputs.device, dtype=call.inputs.dtype) for call in calls]
    for gradients, weights in gradients_and_weights:
        for total, gradient in zip(weighted, gradients, strict=True):
            total += torch.einsum("kno,nk->no", gradient.square(), weights)
    squares = {}
    for call, total in zip(calls, weighted, strict=True):
        if call.weight is not None:
            squares[call.weight] = total.T @ call.inputs.detach().square()
        if call.bias is not None:
            squares[call.bias] = total.sum(0)
    return squares


@torch.enable_grad()
def layer_gradients(
    outputs: Callable[[dict[str, Tensor], Inputs], Tensor],
    theta: Mapping[str, Tensor],
    inputs: Inputs,
    weighted_values: WeightedValues,
) -> tuple[list[Call], Iterator[tuple[list[Float[Tensor, "values n out"]], Float[Tensor, "n values"]]]] | None:
    """Compute the gradients δ of values v by the outputs of linear layers, for each example by itself.

    Arguments are those of :func:`squared_gradients`.

    Returns:
        Calls of the layers, and for some values at a time the gradients by the output of each, with the weights of
        these values; None where some parameter is not used exactly once, as above.
    """
    leaves = {name: parameter.detach().requires_grad_() for name, parameter in theta.items()}
    with _LinearCalls(leaves) as calls:
        answers = outputs(leaves, inputs)
    v, w = weighted_values(answers)
    if not _used_once(leaves, calls, v, len(inputs)):
        return None
    results = [call.result for call in calls.made]

    def gradients_and_weights() -> Iterator[tuple[list[Tensor], Tensor]]:
        for chosen in torch.eye(v.shape[1], device=v.device, dtype=v.dtype).split(_VALUES_AT_A_TIME):
            # Examples do not see each other, so the gradient of a sum over them leaves each its own.
            each = chosen[:, None].expand(-1, len(v), -1)
            gradients = torch.autograd.grad(v, results, each, is_grads_batched=True, retain_graph=True)
            yield list(gradients), (w @ chosen.T).detach()

    return calls.made, gradients_and_weights()


class Call(NamedTuple):
    """A call of a linear layer.

    Args:
        weight: Name of the weight; None if it is a constant.
        bias: Name of the bias; None if it is a constant or absent.
        inputs: Input of the layer.
        version: Version of `inputs` at the call; later operations may overwrite them.
        result: Gradient edge of the output; an activation function may overwrite the tensor itself.
        shape: Shape of the output.
    """

    weight: str | None
    bias: str | None
    inputs: Tensor
    version: int
    result: GradientEdge
    shape: torch.Size


class _LinearCalls(TorchFunctionMode):
    """Recorder of the calls of linear layers."""

    def __init__(self, leaves: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._names = {id(leaf): name for name, leaf in leaves.items()}
        self.made: list[Call] = []

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if function is functional.linear:
            inputs, weight, bias = _arguments(*args, **(kwargs or {}))
            weight, bias = self._names.get(id(weight)), self._names.get(id(bias))
            if weight is not None or bias is not None:
                edge = get_gradient_edge(result)
                self.made.append(Call(weight, bias, inputs, inputs._version, edge, result.shape))
        return result


def _arguments(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Any, Any, Any]:
    """The arguments of `torch.nn.functional.linear`, under torch's names."""
    return input, weight, bias


def _used_once(leaves: Mapping[str, Tensor], calls: _LinearCalls, result: Tensor, number: int) -> bool:
    """Whether each parameter enters the result exactly once, by a call with one vector for each example."""
    uses: Counter[Tensor] = Counter()
    seen: set[Node] = set()
    waiting = [node for node in (result.grad_fn,) if node is not None]
    while waiting:
        node = waiting.pop()
        for successor, _ in node.next_functions:
            if successor is None:
                continue
            if (leaf := getattr(successor, "variable", None)) is not None:
                uses[leaf] += 1
            elif successor not in seen:
                seen.add(successor)
                waiting.append(successor)
    called = Counter(name for call in calls.made for name in (call.weight, call.bias) if name is not None)
    return all(uses[leaf] == called[name] == 1 for name, leaf in leaves.items()) and all(
        call.inputs.ndim == 2 and len(call.inputs) == number and call.inputs._version == call.version
        for call in calls.made
    )
