"""Networks that ship with the package: perceptron, variational autoencoder, classifier with a growing head."""

from hypermnesia.networks.autoencoder import Distribution, VariationalAutoencoder
from hypermnesia.networks.growing import GrowingClassifier
from hypermnesia.networks.perceptron import ACTIVATIONS, ActivationName, mlp

__all__ = ["ACTIVATIONS", "ActivationName", "Distribution", "GrowingClassifier", "VariationalAutoencoder", "mlp"]
