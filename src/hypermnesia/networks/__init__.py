"""Networks that ship with the package: perceptron, variational autoencoder, classifier with a growing head."""

from hypermnesia.networks.autoencoder import AutoencoderSettings, VariationalAutoencoder
from hypermnesia.networks.distribution import Distribution
from hypermnesia.networks.growing import GrowingClassifier
from hypermnesia.networks.perceptron import ACTIVATIONS, ActivationName, MLPSettings, mlp
from hypermnesia.networks.target import NetworkSettings

__all__ = [
    "ACTIVATIONS",
    "NETWORKS",
    "ActivationName",
    "AutoencoderSettings",
    "Distribution",
    "GrowingClassifier",
    "MLPSettings",
    "NetworkSettings",
    "VariationalAutoencoder",
    "mlp",
]

NETWORKS: tuple[type[NetworkSettings], ...] = (MLPSettings,)
"""The registry of target networks that settings can name."""
