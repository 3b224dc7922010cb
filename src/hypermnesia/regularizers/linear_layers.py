"""Squared gradients of single examples where every parameter is that of a linear layer: no such gradient is formed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Numbers = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From outputs [n, outputs] to numbers v and weights w, both [n, numbers]."""

_NUMBERS_AT_A_TIME = 32


@torch.enable_grad()
def squared_gradients(
    outputs: Callable[[dict[str, Tensor], Tensor], Tensor],
    theta: Mapping[str, Tensor],
    inputs: Float[Tensor, "n *shape"],
    numbers: Numbers,
) -> dict[str, Tensor] | None:
    """Σ over examples n and numbers i of w_ni (∂v_ni/∂θ)², of each parameter.

    By the weight of a linear layer the gradient of one example is the outer product of δ, the gradient by what comes
    out, and a, what goes in. Its square is the outer product of their squares, so the sum over examples is one matrix
    product, `(Σ_i w_i δ_i²)ᵀ a²`, and all of it costs about as much as backward passes for whole batches.

    Args:
        outputs: Gives [n, outputs] for parameters by name and n inputs, each example on its own.
        theta: θ by name; taken as constants.
        inputs: The examples.
        numbers: v and w, each example on its own.

    Returns:
        By name; None where some parameter is not used exactly once, as weight or bias of a linear layer that sees one
        vector an example.

    Example:
        >>> theta = {"w": torch.ones(1, 2)}
        >>> squares = squared_gradients(lambda p, x: functional.linear(x, p["w"]), theta, torch.tensor([[1.0, 2.0]]),
        ...                             lambda outputs: (outputs, torch.ones_like(outputs)))
        >>> squares["w"]
        tensor([[1., 4.]])
    """
    leaves = {name: parameter.detach().requires_grad_() for name, parameter in theta.items()}
    with _LinearCalls(leaves) as calls:
        answers = outputs(leaves, inputs)
    v, w = numbers(answers)
    if not _used_once(leaves, calls, v, len(inputs)):
        return None
    results = [call.result for call in calls.made]
    weighted = [v.new_zeros(call.shape) for call in calls.made]
    for chosen in torch.eye(v.shape[1], device=v.device, dtype=v.dtype).split(_NUMBERS_AT_A_TIME):
        # Examples do not see each other, so the gradient of a sum over them leaves each its own.
        each = chosen[:, None].expand(-1, len(v), -1)
        gradients = torch.autograd.grad(v, results, each, is_grads_batched=True, retain_graph=True)
        for total, gradient in zip(weighted, gradients, strict=True):
            total += torch.einsum("kno,nk->no", gradient.square(), (w @ chosen.T).detach())
    squares = {}
    for call, total in zip(calls.made, weighted, strict=True):
        if call.weight is not None:
            squares[call.weight] = total.T @ call.inputs.detach().square()
        if call.bias is not None:
            squares[call.bias] = total.sum(0)
    return squares


class _Call(NamedTuple):
    """A call of a linear layer.

    Args:
        weight: The parameter's name; None if it is a constant.
        bias: Likewise, or None if there is none.
        inputs: What goes in.
        version: Of `inputs` then, which later operations may overwrite.
        result: Where the gradient by what comes out arrives; an activation may overwrite the tensor itself.
        shape: Of what comes out.
    """

    weight: str | None
    bias: str | None
    inputs: Tensor
    version: int
    result: GradientEdge
    shape: torch.Size


class _LinearCalls(TorchFunctionMode):
    """Takes down the calls of linear layers."""

    def __init__(self, leaves: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._names = {id(leaf): name for name, leaf in leaves.items()}
        self.made: list[_Call] = []

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if function is functional.linear:
            inputs, weight, bias = _arguments(*args, **(kwargs or {}))
            weight, bias = self._names.get(id(weight)), self._names.get(id(bias))
            if weight is not None or bias is not None:
                edge = get_gradient_edge(result)
                self.made.append(_Call(weight, bias, inputs, inputs._version, edge, result.shape))
        return result


def _arguments(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Any, Any, Any]:
    """As torch calls them."""
    return input, weight, bias


def _used_once(leaves: Mapping[str, Tensor], calls: _LinearCalls, result: Tensor, number: int) -> bool:
    """Whether each parameter enters the result exactly once, and that by a call with one vector for each example."""
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
