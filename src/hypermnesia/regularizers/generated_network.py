"""A network as a function of the hypernetwork that generates its weights, with gradients of single examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.inputs import Inputs
from hypermnesia.regularizers.linear_layers import Call, WeightedValues, layer_gradients

_NUMBERS_AT_A_TIME = 2**22
"""Generated weights of which gradients are held at once, or those of one example."""


@dataclasses.dataclass(frozen=True)
class GeneratedNetwork:
    """Outputs of a network as a function of Θ_h and inputs.

    Args:
        hypernetwork: Hypernetwork that generates the weights.
        embedding: Embedding that it generates them from, `[embedding_dim]`; taken as a constant.
        outputs: Function of generated weights by name and n inputs that returns outputs `[n, outputs]`.

    Example:
        >>> from torch import nn
        >>> from torch.func import functional_call
        >>> from hypermnesia.layout import ParameterLayout
        >>> layer = nn.Linear(3, 2)
        >>> hypernetwork = Hypernetwork(ParameterLayout.of(layer), embedding_dim=4)
        >>> network = GeneratedNetwork(hypernetwork, torch.ones(4), lambda w, x: functional_call(layer, w, (x,)))
        >>> network(hypernetwork.shared_parameters(), torch.ones(5, 3)).shape
        torch.Size([5, 2])
    """

    hypernetwork: Hypernetwork
    embedding: Tensor
    outputs: Callable[[dict[str, Tensor], Inputs], Tensor]

    def __call__(self, theta: dict[str, Tensor], inputs: Inputs) -> Tensor:
        """Return the outputs for Θ_h by name."""
        return self.outputs(self.hypernetwork.generate(self.embedding, theta), inputs)

    def squared_gradients(
        self, theta: Mapping[str, Tensor], inputs: Inputs, weighted_values: WeightedValues
    ) -> dict[str, Tensor] | None:
        """Compute Σ over examples n and values i of w_ni (∂v_ni/∂Θ_h)², where all generated weights are linear layers'.

        With D the gradient of one value by the generated weights, chunk by chunk, that by the readout is ΦᵀD, and that
        by the features DAᵀ, which the trunk pulls back. D itself is made of the outer products of its layers: no
        backward pass is made for an example.

        Args:
            theta: Θ_h by name; taken as constants.
            inputs: Inputs of the examples.
            weighted_values: Function of the outputs that returns v and w, for each example by itself.

        Returns:
            Sums by parameter name; None where generated weights are used in another way, see :func:`layer_gradients`.
        """
        constants = {name: parameter.detach() for name, parameter in theta.items()}
        with torch.no_grad():
            weights = self.hypernetwork.generate(self.embedding, constants)
        if (layers := layer_gradients(self.outputs, weights, inputs, weighted_values)) is None:
            return None
        calls, gradients_and_weights = layers
        with torch.no_grad():
            trunk = constants.copy()
            readout = trunk.pop("readout")
            features, pull_back, *_ = torch.func.vjp(
                lambda trunk: self.hypernetwork.features(self.embedding[None], {**trunk, "readout": readout})[0], trunk
            )
            sums = {name: torch.zeros_like(parameter) for name, parameter in constants.items()}
            for gradients, of_values in gradients_and_weights:
                by_features = []
                for rows in self._by_generated_weights(calls, gradients, of_values):
                    sums["readout"] += (features.T @ rows).square_().sum(0)
                    by_features.append(rows @ readout.T)
                for name, each in torch.func.vmap(pull_back)(torch.cat(by_features))[0].items():
                    sums[name] += each.square().sum(0)
        return sums

    def _by_generated_weights(
        self, calls: Sequence[Call], gradients: Sequence[Tensor], weights: Tensor
    ) -> Iterator[Float[Tensor, "rows chunks size"]]:
        """Gradients by the generated weights, times the root of their weight, for some rows at a time.

        A row is an example and a value.
        """
        hypernetwork = self.hypernetwork
        places, start = {}, 0
        for name, size in zip(hypernetwork.layout.names, hypernetwork.layout.sizes, strict=True):
            places[name] = slice(start, start + size)
            start += size
        total = hypernetwork.num_chunks * hypernetwork.chunk_size
        roots = weights.T.sqrt()  # a row for each value
        at_once = max(1, _NUMBERS_AT_A_TIME // total)
        for value, root in enumerate(roots):
            for first in range(0, len(root), at_once):
                some = slice(first, first + at_once)
                rows = root.new_zeros(len(root[some]), total)
                for call, gradient in zip(calls, gradients, strict=True):
                    by_output = gradient[value, some] * root[some, None]
                    if call.bias is not None:
                        rows[:, places[call.bias]] = by_output
                    if call.weight is not None:
                        inputs = call.inputs.detach()[some]
                        place = rows[:, places[call.weight]].view(len(rows), by_output.shape[1], inputs.shape[1])
                        torch.mul(by_output[:, :, None], inputs[:, None], out=place)
                yield rows.view(len(rows), hypernetwork.num_chunks, hypernetwork.chunk_size)
