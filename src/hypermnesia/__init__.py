"""Continual learning with task-conditioned hypernetworks."""

# ruff: noqa: F403, F405 - type checkers read what is imported for them

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypermnesia import criteria, data, errors, evaluation, learners, networks, regularizers, tasks, training
    from hypermnesia.evaluation.sequence import learn_sequence
    from hypermnesia.exporting import export
    from hypermnesia.hypernetwork import Hypernetwork
    from hypermnesia.layout import ParameterLayout
    from hypermnesia.learners import *
    from hypermnesia.tasks import Task
    from hypermnesia.training import TrainingSettings

    __version__: str

__all__ = [
    "AGEMLearner",
    "ConsolidatedHypernetworkLearner",
    "ContinualLearner",
    "DERLearner",
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
    "SeparateLearner",
    "Task",
    "TaskInferenceLearner",
    "TrainingSettings",
    "__version__",
    "criteria",
    "data",
    "errors",
    "evaluation",
    "export",
    "learn_sequence",
    "learners",
    "load",
    "networks",
    "regularizers",
    "tasks",
    "training",
]

_MODULES = ("criteria", "data", "errors", "evaluation", "learners", "networks", "regularizers", "tasks", "training")
# Names that are not looked for among the learners.
_HOMES = {
    "Hypernetwork": "hypernetwork",
    "ParameterLayout": "layout",
    "Task": "tasks",
    "TrainingSettings": "training",
    "export": "exporting",
    "learn_sequence": "evaluation.sequence",
}


def __getattr__(name: str) -> object:
    # Looked up when first used, so that `hypermnesia --help` need not import torch.
    if name == "__version__":
        from importlib import metadata

        return metadata.version("hypermnesia")
    if name in _MODULES:
        return importlib.import_module(f"hypermnesia.{name}")
    if name in __all__:
        return getattr(importlib.import_module(f"hypermnesia.{_HOMES.get(name, 'learners')}"), name)
    raise AttributeError(f"module 'hypermnesia' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
