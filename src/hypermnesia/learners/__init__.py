"""Continual learners, one file a method, all behind one interface."""

from hypermnesia.learners.base import ContinualLearner, Prediction
from hypermnesia.learners.hypernetwork import HypernetworkLearner
from hypermnesia.learners.hypernetwork_settings import HypernetworkSettings

__all__ = ["ContinualLearner", "HypernetworkLearner", "HypernetworkSettings", "Prediction"]
