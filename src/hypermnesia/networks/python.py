"""A network that somebody's own code, or another package, makes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import nn

from hypermnesia import named_code
from hypermnesia.errors import ConfigurationError
from hypermnesia.networks.target import NetworkSettings


class PythonNetworkSettings(NetworkSettings):
    """Settings of a network that a function makes, as `timm:create_model`.

    Example:
        >>> make = PythonNetworkSettings(kind="python", call="torch.nn:Linear", arguments={"in_features": 8},
        ...                              outputs_as="out_features")
        >>> make.build((8,), 3)
        Linear(in_features=8, out_features=3, bias=True)
    """

    kind: Literal["python"]
    call: named_code.Name
    """Function that makes the network, as `module:function`; its module is installed or in the current directory."""
    arguments: named_code.Arguments = Field(default_factory=dict)
    """Keyword arguments of the function."""
    outputs_as: str | None = None
    """Argument that is given the number of outputs, as `num_classes`; null for none."""
    input_shape_as: str | None = None
    """Argument that is given the shape of an input, as a tuple; null for none."""

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Call the function."""
        places = {self.outputs_as: outputs, self.input_shape_as: input_shape}
        told = {name: value for name, value in places.items() if name is not None}
        if twice := told.keys() & self.arguments.keys():
            raise ConfigurationError(
                f"network.arguments has {', '.join(sorted(twice))}, which outputs_as or input_shape_as give, too: leave"
                " out one of them."
            )
        made = named_code.call(self.call, {**self.arguments, **told})
        if not isinstance(made, nn.Module):
            raise ConfigurationError(
                f"network.call={self.call} made a {type(made).__name__}; it must make a torch.nn.Module."
            )
        return made
