"""The activation functions that settings can name."""

from typing import Literal

from torch import nn

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
