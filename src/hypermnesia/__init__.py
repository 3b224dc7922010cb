"""Continual learning with task-conditioned hypernetworks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypermnesia import data, evaluation, networks, regularizers, tasks
    from hypermnesia.hypernetwork import Hypernetwork
    from hypermnesia.layout import ParameterLayout
    from hypermnesia.learners import (
        ConsolidatedHypernetworkLearner,
        ContinualLearner,
        EWCLearner,
        ExperienceReplayLearner,
        FineTuningLearner,
        FromScratchLearner,
        HypernetworkLearner,
        JointLearner,
        LikelihoodLearner,
        LwFLearner,
        Prediction,
        ReplayLearner,
        SILearner,
        TaskInferenceLearner,
    )
    from hypermnesia.tasks import Task
    from hypermnesia.training import TrainingSettings

# Where each public name lives. Looked up when first used, so that `hypermnesia --help` need not import torch.
_HOMES = {
    "ConsolidatedHypernetworkLearner": "hypermnesia.learners",
    "ContinualLearner": "hypermnesia.learners",
    "EWCLearner": "hypermnesia.learners",
    "ExperienceReplayLearner": "hypermnesia.learners",
    "FineTuningLearner": "hypermnesia.learners",
    "FromScratchLearner": "hypermnesia.learners",
    "JointLearner": "hypermnesia.learners",
    "LwFLearner": "hypermnesia.learners",
    "SILearner": "hypermnesia.learners",
    "Hypernetwork": "hypermnesia.hypernetwork",
    "HypernetworkLearner": "hypermnesia.learners",
    "LikelihoodLearner": "hypermnesia.learners",
    "ParameterLayout": "hypermnesia.layout",
    "Prediction": "hypermnesia.learners",
    "ReplayLearner": "hypermnesia.learners",
    "TaskInferenceLearner": "hypermnesia.learners",
    "Task": "hypermnesia.tasks",
    "TrainingSettings": "hypermnesia.training",
}
_MODULES = ("data", "evaluation", "networks", "regularizers", "tasks")

__all__ = [
    "ConsolidatedHypernetworkLearner",
    "ContinualLearner",
    "EWCLearner",
    "ExperienceReplayLearner",
    "FineTuningLearner",
    "FromScratchLearner",
    "Hypernetwork",
    "HypernetworkLearner",
    "JointLearner",
    "LikelihoodLearner",
    "LwFLearner",
    "ParameterLayout",
    "Prediction",
    "ReplayLearner",
    "SILearner",
    "Task",
    "TaskInferenceLearner",
    "TrainingSettings",
    "data",
    "evaluation",
    "networks",
    "regularizers",
    "tasks",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"hypermnesia.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hypermnesia' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
