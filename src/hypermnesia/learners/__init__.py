"""Continual learners, one file a method, all behind one interface."""

from hypermnesia.learners.base import ContinualLearner, Prediction
from hypermnesia.learners.hypernetwork import HypernetworkLearner
from hypermnesia.learners.hypernetwork_likelihood import LikelihoodLearner, LikelihoodSettings
from hypermnesia.learners.hypernetwork_replay import ReplayLearner
from hypermnesia.learners.hypernetwork_task_inference import TaskInferenceLearner
from hypermnesia.learners.task_inference import InferenceSettings

__all__ = [
    "ContinualLearner",
    "HypernetworkLearner",
    "InferenceSettings",
    "LikelihoodLearner",
    "LikelihoodSettings",
    "Prediction",
    "ReplayLearner",
    "TaskInferenceLearner",
]
