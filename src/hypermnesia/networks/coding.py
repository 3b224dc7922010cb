"""Encoders and decoders of inputs: perceptrons, with convolutions between them and images where settings ask for it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import nn

from hypermnesia.errors import ConfigurationError
from hypermnesia.networks.perceptron import ACTIVATIONS, ActivationName, mlp
from hypermnesia.seeds import default_generators_kept


def encoder(
    input_shape: Sequence[int],
    channels: Sequence[int],
    hidden: Sequence[int],
    outputs: int,
    activation: ActivationName = "relu",
) -> nn.Sequential:
    """Make a network from inputs to a code, or to the verdict of a discriminator.

    Each convolution halves height and width of an image, rounding down; a perceptron (`mlp`) reads what is left. Inputs
    may come flattened.

    Args:
        input_shape: Shape of one input.
        channels: Number of channels of each convolution, from the image on; empty for the perceptron alone.
        hidden: Width of each hidden layer of the perceptron.
        outputs: Number of outputs.
        activation: Activation function between all layers.

    Raises:
        ConfigurationError: There are convolutions, but inputs are no images, or too small for so many.

    Example:
        >>> import torch
        >>> encoder((3, 32, 32), (16, 32), (50,), 10)(torch.rand(5, 3, 32, 32)).shape
        torch.Size([5, 10])
    """
    if not channels:
        return mlp(math.prod(input_shape), hidden, outputs, activation)
    sizes = halved(input_shape, channels)
    layers: list[nn.Module] = [nn.Flatten(), nn.Unflatten(1, tuple(input_shape))]
    for (channels_in, _, _), (channels_out, _, _) in itertools.pairwise(sizes):
        with default_generators_kept():
            convolution = nn.Conv2d(channels_in, channels_out, kernel_size=4, stride=2, padding=1)
        layers += [_drawn(convolution, 16 * channels_in), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers, *mlp(math.prod(sizes[-1]), hidden, outputs, activation))


def decoder(
    inputs: int,
    hidden: Sequence[int],
    channels: Sequence[int],
    output_shape: Sequence[int],
    activation: ActivationName = "relu",
) -> nn.Sequential:
    """Make a network from a code to flattened inputs: an `encoder` the other way round.

    Args:
        inputs: Number of elements of a code.
        hidden: Width of each hidden layer of the perceptron, from the code on.
        channels: Number of channels of each convolution, from the image on, as for the encoder; empty for the
            perceptron alone.
        output_shape: Shape of one input that is decoded.
        activation: Activation function between all layers.

    Raises:
        ConfigurationError: There are convolutions, but inputs are no images, or too small for so many.

    Example:
        >>> import torch
        >>> decoder(10, (50,), (16, 32), (3, 32, 32))(torch.rand(5, 10)).shape
        torch.Size([5, 3072])
    """
    if not channels:
        return mlp(inputs, hidden, math.prod(output_shape), activation)
    sizes = halved(output_shape, channels)[::-1]
    layers: list[nn.Module] = [*mlp(inputs, hidden, math.prod(sizes[0]), activation), nn.Unflatten(1, sizes[0])]
    for (channels_in, *small), (channels_out, *large) in itertools.pairwise(sizes):
        # What was rounded off by halving comes back.
        height, width = (big - 2 * half for big, half in zip(large, small, strict=True))
        with default_generators_kept():
            transposed = nn.ConvTranspose2d(
                channels_in, channels_out, 4, stride=2, padding=1, output_padding=(height, width)
            )
        # A window of 4×4 pixels meets every second one.
        layers += [ACTIVATIONS[activation](), _drawn(transposed, 4 * channels_in)]
    return nn.Sequential(*layers, nn.Flatten())


def halved(input_shape: Sequence[int], channels: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the shape of an image, and that after each of several convolutions that halve it.

    Args:
        input_shape: Shape of one input.
        channels: Number of channels of each convolution.

    Raises:
        ConfigurationError: Inputs are no images, or too small for so many convolutions.

    Example:
        >>> halved((3, 32, 15), (16, 32))
        [(3, 32, 15), (16, 16, 7), (32, 8, 3)]
    """
    shown = ", ".join(map(str, input_shape))
    if len(input_shape) != 3:
        raise ConfigurationError(
            f"channels: convolutions are for images [channels, height, width], but inputs have shape [{shown}]; leave"
            " channels empty for a perceptron"
        )
    colors, height, width = input_shape
    most = max(0, min(height, width).bit_length() - 1)
    if len(channels) > most:
        allowed = f"give at most {most}" if most else "leave channels empty for a perceptron"
        raise ConfigurationError(
            f"channels: {len(channels)} convolutions, each of which halves an image, are too many for inputs of shape"
            f" [{shown}]: {allowed}"
        )
    sizes = [(colors, height, width)]
    for number in channels:
        _, height, width = sizes[-1]
        sizes.append((number, height // 2, width // 2))
    return sizes


def _drawn(layer: nn.Conv2d | nn.ConvTranspose2d, terms: int) -> nn.Module:
    """The layer with biases zero and weights drawn so that sums of so many terms keep the scale of a signal.

    Source: He, Zhang, Ren and Sun, Delving deep into rectifiers, 2015, equation 10.
    """
    assert layer.bias is not None
    bound = math.sqrt(6 / terms)
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.zeros_(layer.bias)
    return layer
