"""Networks that ship with the package: perceptron, ResNet, ZenkeNet, autoencoder, classifier with a growing head."""

from hypermnesia.networks.autoencoder import AutoencoderSettings, VariationalAutoencoder
from hypermnesia.networks.distribution import Distribution
from hypermnesia.networks.growing import GrowingClassifier
from hypermnesia.networks.perceptron import ACTIVATIONS, ActivationName, MLPSettings, mlp
from hypermnesia.networks.python import PythonNetworkSettings
from hypermnesia.networks.resnet import ResNetSettings, resnet
from hypermnesia.networks.target import NetworkSettings
from hypermnesia.networks.zenkenet import ZenkeNetSettings, zenkenet

__all__ = [
    "ACTIVATIONS",
    "NETWORKS",
    "ActivationName",
    "AutoencoderSettings",
    "Distribution",
    "GrowingClassifier",
    "MLPSettings",
    "NetworkSettings",
    "PythonNetworkSettings",
    "ResNetSettings",
    "VariationalAutoencoder",
    "ZenkeNetSettings",
    "mlp",
    "resnet",
    "zenkenet",
]

NETWORKS: tuple[type[NetworkSettings], ...] = (MLPSettings, ResNetSettings, ZenkeNetSettings, PythonNetworkSettings)
"""The registry of target networks that settings can name."""
