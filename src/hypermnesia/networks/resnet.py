"""Residual networks for small images, with batch normalization."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia.networks.images import FirstConvolution, ImageNetworkSettings


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with batch normalization, around which a shortcut without weights leads.

    Where the block halves the image and has more channels, the shortcut takes every second pixel and adds channels of
    zeros.

    Source: He et al., Deep residual learning for image recognition, 2016, section 3.3, option A.

    Args:
        channels_in: Number of channels of the input.
        channels_out: Number of channels of the output, at least as many.
        stride: Step between pixels of the output, 1 or 2.

    Example:
        >>> import torch
        >>> ResidualBlock(16, 32, stride=2)(torch.zeros(5, 16, 8, 8)).shape
        torch.Size([5, 32, 4, 4])
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _convolution(channels_in, channels_out, stride)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = _convolution(channels_out, channels_out)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self._stride, self._new_channels = stride, channels_out - channels_in

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n channels height width"]:
        """Return the block's activations."""
        shortcut = functional.pad(
            images[:, :, :: self._stride, :: self._stride],
            (0, 0, 0, 0, self._new_channels // 2, self._new_channels - self._new_channels // 2),
        )
        inner = functional.relu(self.norm1(self.conv1(images)))
        return functional.relu(self.norm2(self.conv2(inner)) + shortcut)


def resnet(channels: int, outputs: int, depth: int = 32, width: int = 16) -> nn.Sequential:
    """Make the residual network that He et al. had for CIFAR-10: three stages, the last two of which halve the image.

    Source: He et al., Deep residual learning for image recognition, 2016, section 4.2. Convolutions start as in
    He et al., Delving deep into rectifiers, 2015.

    Args:
        channels: Number of channels of an image.
        outputs: Number of outputs.
        depth: Number of layers with weights, 6 n + 2: a stage has n blocks of two.
        width: Number of channels of the first stage; the second and third have twice and four times as many.

    Example:
        >>> sum(parameter.numel() for parameter in resnet(3, 10, depth=32).parameters())
        464154
    """
    widths = [width, width, 2 * width, 4 * width]
    stages = [
        nn.Sequential(
            ResidualBlock(before, after, stride=after // before),
            *(ResidualBlock(after, after) for _ in range((depth - 2) // 6 - 1)),
        )
        for before, after in itertools.pairwise(widths)
    ]
    layers: dict[str, nn.Module] = {
        "conv": _convolution(channels, width, kind=FirstConvolution),
        "norm": nn.BatchNorm2d(width),
        "relu": nn.ReLU(),
        **{f"stage{number}": stage for number, stage in enumerate(stages, start=1)},
        "pool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "head": nn.Linear(widths[-1], outputs),
    }
    return nn.Sequential(OrderedDict(layers))


def _convolution(channels_in: int, channels_out: int, stride: int = 1, kind: type[nn.Conv2d] = nn.Conv2d) -> nn.Conv2d:
    layer = kind(channels_in, channels_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


class ResNetSettings(ImageNetworkSettings):
    """Settings of a residual network for small images.

    Example:
        >>> len(ResNetSettings(kind="resnet", depth=8).build((3, 32, 32), 10).stage1)
        1
    """

    kind: Literal["resnet"]
    depth: Annotated[int, Field(ge=8)] = 32
    """Number of layers with weights: 8, 14, 20, 32, 44, 56, 110, or any other 6 n + 2."""
    width: Annotated[int, Field(ge=1)] = 16
    """Number of channels of the first of three stages."""

    @field_validator("depth")
    @classmethod
    def _three_stages(cls, depth: int) -> int:
        if (depth - 2) % 6:
            below = depth - (depth - 2) % 6
            raise ValueError(f"must be 6 n + 2 (three stages of n blocks of two layers), as {below} or {below + 6}")
        return depth

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Make the network."""
        before = self._layers_before(input_shape, least=4)
        network = resnet(input_shape[0], outputs, self.depth, self.width)
        return nn.Sequential(*before, network) if before else network
