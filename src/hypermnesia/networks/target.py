"""Target networks that settings can name."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from hypermnesia.settings import Settings


class NetworkSettings(Settings, ABC):
    """Base class of the settings of a target network; a subclass narrows `kind` to its own name."""

    kind: str
    """Name of the architecture."""

    @abstractmethod
    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Make the network, its first weights drawn from torch's default generator.

        Args:
            input_shape: Shape of one input.
            outputs: Number of outputs.
        """
