"""Continual learners, one file a method, all behind one interface."""

from hypermnesia.learners.base import ContinualLearner, Prediction
from hypermnesia.learners.ewc import EWCLearner, EWCSettings
from hypermnesia.learners.experience_replay import ExperienceReplayLearner, ExperienceReplaySettings
from hypermnesia.learners.fine_tuning import FineTuningLearner
from hypermnesia.learners.from_scratch import FromScratchLearner
from hypermnesia.learners.hypernetwork import HypernetworkLearner
from hypermnesia.learners.hypernetwork_consolidation import ConsolidatedHypernetworkLearner
from hypermnesia.learners.inference_criteria import InferenceSettings
from hypermnesia.learners.joint import JointLearner
from hypermnesia.learners.likelihood import LikelihoodLearner, LikelihoodSettings
from hypermnesia.learners.lwf import LwFLearner, LwFSettings
from hypermnesia.learners.replay import ReplayLearner
from hypermnesia.learners.si import SILearner, SISettings
from hypermnesia.learners.task_inference import TaskInferenceLearner

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
