"""Continual learners, one file a method, all behind one interface."""

from hypermnesia.learners.base import ContinualLearner, Prediction
from hypermnesia.learners.elastic_weight_consolidation import EWCLearner, EWCSettings
from hypermnesia.learners.experience_replay import ExperienceReplayLearner, ExperienceReplaySettings
from hypermnesia.learners.fine_tuning import FineTuningLearner
from hypermnesia.learners.from_scratch import FromScratchLearner
from hypermnesia.learners.hypernetwork import HypernetworkLearner
from hypermnesia.learners.hypernetwork_consolidation import ConsolidatedHypernetworkLearner
from hypermnesia.learners.hypernetwork_likelihood import LikelihoodLearner, LikelihoodSettings
from hypermnesia.learners.hypernetwork_task_inference import TaskInferenceLearner
from hypermnesia.learners.joint_training import JointLearner
from hypermnesia.learners.learning_without_forgetting import LwFLearner, LwFSettings
from hypermnesia.learners.replay import ReplayLearner
from hypermnesia.learners.synaptic_intelligence import SILearner, SISettings
from hypermnesia.learners.task_inference import InferenceSettings

__all__ = [
    "ConsolidatedHypernetworkLearner",
    "ContinualLearner",
    "EWCLearner",
    "EWCSettings",
    "ExperienceReplayLearner",
    "ExperienceReplaySettings",
    "FineTuningLearner",
    "FromScratchLearner",
    "HypernetworkLearner",
    "InferenceSettings",
    "JointLearner",
    "LikelihoodLearner",
    "LikelihoodSettings",
    "LwFLearner",
    "LwFSettings",
    "Prediction",
    "ReplayLearner",
    "SILearner",
    "SISettings",
    "TaskInferenceLearner",
]
