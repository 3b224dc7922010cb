"""What is added to a loss so that weights stay where old tasks left them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn


class Penalty(ABC):
    """What holds the weights of a network in place."""

    @abstractmethod
    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        """Add the penalty's gradient to `.grad`, where so far that of the task loss alone is; returns its value."""
