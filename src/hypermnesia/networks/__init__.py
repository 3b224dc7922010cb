"""Target networks that ship with the package."""

from hypermnesia.networks.activations import ACTIVATIONS, ActivationName
from hypermnesia.networks.mlp import mlp

__all__ = ["ACTIVATIONS", "ActivationName", "mlp"]
