"""The small convolutional network with which Zenke et al. introduced split CIFAR."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from hypermnesia.networks.images import FirstConvolution, ImageNetworkSettings

Share = Annotated[float, Field(ge=0, lt=1)]


def zenkenet(
    input_shape: tuple[int, int, int], outputs: int, dropout: float = 0.25, dense_dropout: float = 0.5
) -> nn.Sequential:
    """Make four 3×3 convolutions, two and two with a pooling behind, and two dense layers.

    Weights start Xavier-uniform and biases at zero, as by default in Keras, with which it was published.

    Source: Zenke, Poole, Ganguli, Continual learning through synaptic intelligence, 2017, appendix.

    Args:
        input_shape: Shape of an image, `(channels, height, width)`, of at least 10×10 pixels.
        outputs: Number of outputs.
        dropout: Share of channels that are dropped behind each pooling.
        dense_dropout: Share of units that are dropped behind the first dense layer.

    Example:
        >>> sum(parameter.numel() for parameter in zenkenet((3, 32, 32), 10).parameters())
        1250858
    """
    channels, *size = input_shape
    # Of two convolutions one is padded; then a pooling halves.
    height, width = (((side - 2) // 2 - 2) // 2 for side in size)
    layers: list[nn.Module] = []
    for convolution, before, after in ((FirstConvolution, channels, 32), (nn.Conv2d, 32, 64)):
        layers += [convolution(before, after, 3, padding=1), nn.ReLU(), nn.Conv2d(after, after, 3), nn.ReLU()]
        layers += [nn.MaxPool2d(2), nn.Dropout2d(dropout)]
    layers += [nn.Flatten(), nn.Linear(64 * height * width, 512), nn.ReLU(), nn.Dropout(dense_dropout)]
    layers.append(nn.Linear(512, outputs))
    for layer in layers:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


class ZenkeNetSettings(ImageNetworkSettings):
    """Settings of the small convolutional network of Zenke et al.

    Example:
        >>> ZenkeNetSettings(kind="zenkenet", dropout=0).build((3, 32, 32), 10)[5]
        Dropout2d(p=0.0, inplace=False)
    """

    kind: Literal["zenkenet"]
    dropout: Share = 0.25
    """Share of channels that are dropped behind each pooling."""
    dense_dropout: Share = 0.5
    """Share of units that are dropped behind the first dense layer."""

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Make the network."""
        before = self._layers_before(input_shape, least=10)
        channels, height, width = input_shape
        return nn.Sequential(*before, *zenkenet((channels, height, width), outputs, self.dropout, self.dense_dropout))
