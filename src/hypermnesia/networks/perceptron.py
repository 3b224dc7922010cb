"""The multilayer perceptron of the published experiments, and the activation functions that settings can name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from hypermnesia.networks.target import NetworkSettings
from hypermnesia.seeds import default_generators_kept
from hypermnesia.settings import OnlyWith

ActivationName = Literal["relu", "leaky-relu", "elu", "gelu", "silu", "tanh", "sigmoid"]

ACTIVATIONS: dict[ActivationName, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
"""Activation functions by name."""


def mlp(inputs: int, hidden: Sequence[int], outputs: int, activation: ActivationName = "relu") -> nn.Sequential:
    """Make a fully connected network that flattens whatever shape its input has.

    Weights start Xavier-uniform, drawn from torch's default generator, and biases at zero.

    Args:
        inputs: Number of elements of one input.
        hidden: Width of each hidden layer; empty for a linear map.
        outputs: Width of the last layer, which has no activation function.
        activation: Activation function between all layers.

    Example:
        >>> import torch
        >>> mlp(64, (100,), 2)(torch.rand(5, 1, 8, 8)).shape
        torch.Size([5, 2])
    """
    widths = [inputs, *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for width_in, width_out in itertools.pairwise(widths):
        layers += [_linear(width_in, width_out), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers, _linear(widths[-1], outputs))


def _linear(inputs: int, outputs: int) -> nn.Linear:
    # Not by skip_init, which begins on the meta device: its first use takes half a second.
    with default_generators_kept():
        layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class MLPSettings(NetworkSettings):
    """Settings of a multilayer perceptron.

    Example:
        >>> MLPSettings(kind="mlp", hidden=(8,)).build((1, 4, 4), 2)[1]
        Linear(in_features=16, out_features=8, bias=True)
    """

    kind: Literal["mlp"]
    hidden: tuple[Annotated[int, Field(ge=1)], ...]
    """Width of each hidden layer."""
    activation: Annotated[ActivationName, OnlyWith("hidden")] = "relu"
    """Activation function between all layers."""

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Make the network."""
        return mlp(math.prod(input_shape), self.hidden, outputs, self.activation)
