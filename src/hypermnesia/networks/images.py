"""What networks for images have in common: the channels they take, how these are normalized and lie in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from hypermnesia.errors import ConfigurationError
from hypermnesia.networks.target import NetworkSettings
from hypermnesia.settings import Settings


class Normalization(Settings):
    """Mean and standard deviation of each channel of images, by which a network normalizes its inputs.

    Example:
        >>> Normalization(mean=(0.5,), deviation=(0.25,)).mean
        (0.5,)
    """

    mean: tuple[Annotated[float, Field(allow_inf_nan=False)], ...]
    """Mean of each channel, of pixels in [0, 1]."""
    deviation: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...]
    """Standard deviation of each channel."""


class Normalized(nn.Module):
    """Layer that subtracts the mean of each channel and divides by its standard deviation; nothing in it is learned.

    A network that begins with it takes images as they are stored, in learning as in use.

    Args:
        mean: Mean of each channel.
        deviation: Standard deviation of each channel.

    Example:
        >>> Normalized([0.5], [0.25])(torch.ones(2, 1, 8, 8)).unique()
        tensor([2.])
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1))

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the normalized images."""
        normalized: Tensor = (images - self.mean) / self.deviation
        return normalized


class FirstConvolution(nn.Conv2d):
    """Convolution that lays the channels of a pixel side by side in memory, as all layers behind it then do.

    On CPUs a step of a convolutional network is faster so.

    Example:
        >>> FirstConvolution(3, 4, 3)(torch.zeros(2, 3, 8, 8)).is_contiguous(memory_format=torch.channels_last)
        True
    """

    def forward(self, images: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n channels height width"]:
        """Return the convolved images."""
        if images.is_cpu:
            # By strides: torch.func.vmap knows no memory formats.
            images = images.movedim(-3, -1).contiguous().movedim(-1, -3)
        return super().forward(images)


class ImageNetworkSettings(NetworkSettings):
    """Base class of the settings of a network for images."""

    normalization: Normalization | None = None
    """Mean and deviation of each channel, by which the network normalizes its inputs; null for none."""

    def _layers_before(self, input_shape: tuple[int, ...], least: int) -> list[nn.Module]:
        """Layers that normalize inputs, if any.

        Raises:
            ConfigurationError: Inputs of this shape are no images, smaller than `least` pixels, or have other channels
                than the settings.
        """
        if len(input_shape) != 3 or min(input_shape[1:]) < least:
            raise ConfigurationError(
                f"network.kind={self.kind} takes images, [channels, height, width], of at least {least}×{least} pixels;"
                f" inputs of these tasks have shape {list(input_shape)}: choose another network or other data"
            )
        if self.normalization is None:
            return []
        for name, values in (("mean", self.normalization.mean), ("deviation", self.normalization.deviation)):
            if len(values) != input_shape[0]:
                raise ConfigurationError(
                    f"network.normalization.{name} has {len(values)} numbers, but images of these tasks have"
                    f" {input_shape[0]} channels: give one for each"
                )
        return [Normalized(self.normalization.mean, self.normalization.deviation)]
