"""Continual learners, one file a method, all behind one interface."""

from __future__ import annotations

import importlib
from pathlib import Path

import torch
from torch import nn

from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.learners.agem import AGEMLearner
from hypermnesia.learners.base import ContinualLearner
from hypermnesia.learners.der import DERLearner
from hypermnesia.learners.ewc import EWCLearner
from hypermnesia.learners.experience_replay import ExperienceReplayLearner
from hypermnesia.learners.fine_tuning import FineTuningLearner
from hypermnesia.learners.from_scratch import FromScratchLearner
from hypermnesia.learners.hypernetwork import HypernetworkLearner
from hypermnesia.learners.hypernetwork_consolidation import ConsolidatedHypernetworkLearner
from hypermnesia.learners.joint import JointLearner
from hypermnesia.learners.likelihood import LikelihoodLearner
from hypermnesia.learners.lwf import LwFLearner
from hypermnesia.learners.method import Method
from hypermnesia.learners.prediction import LearnedTask, Prediction
from hypermnesia.learners.replay import ReplayLearner
from hypermnesia.learners.scoring import Score, score
from hypermnesia.learners.separate import SeparateLearner
from hypermnesia.learners.si import SILearner
from hypermnesia.learners.task_inference import TaskInferenceLearner

__all__ = [
    "METHODS",
    "AGEMLearner",
    "ConsolidatedHypernetworkLearner",
    "ContinualLearner",
    "DERLearner",
    "EWCLearner",
    "ExperienceReplayLearner",
    "FineTuningLearner",
    "FromScratchLearner",
    "HypernetworkLearner",
    "JointLearner",
    "LearnedTask",
    "LikelihoodLearner",
    "LwFLearner",
    "Method",
    "Prediction",
    "ReplayLearner",
    "SILearner",
    "Score",
    "SeparateLearner",
    "TaskInferenceLearner",
    "load",
    "score",
]

_FILES = (
    "hypernetwork",
    "hypernetwork_consolidation",
    "task_inference",
    "replay",
    "likelihood",
    "fine_tuning",
    "joint",
    "from_scratch",
    "separate",
    "ewc",
    "si",
    "lwf",
    "experience_replay",
    "agem",
    "der",
)
METHODS: dict[str, Method] = {
    method.name: method for file in _FILES for method in importlib.import_module(f"{__name__}.{file}").METHODS
}
"""The registry of methods by name, in the order in which tables show them: those that each of these files declares."""


def load(
    path: str | Path,
    module: nn.Module,
    *,
    criterion: GivenCriterion = None,
    metric: GivenMetric = None,
    device: str | torch.device = "cpu",
) -> ContinualLearner:
    """Read a learner of any kind that was saved.

    Args:
        path: File that `learner.save` wrote.
        module: A network of the same architecture as the learner was made with. Its values do not matter: those in the
            file are used, unless it was saved without them.
        criterion: The function that was learned by, which no file holds; None where it was a criterion with a name.
        metric: The metric, if that was a function or one of torchmetrics; None where it was one with a name.
        device: Where to continue; need not be where the learner was.

    Raises:
        CheckpointError: The file is missing or damaged, the module does not fit it, or a criterion or metric that it
            does not hold was not given.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/learner.safetensors"
        >>> SILearner(nn.Linear(2, 1), seed=3).save(path)
        >>> type(load(path, nn.Linear(2, 1))).__name__
        'SILearner'
    """
    return ContinualLearner.load(path, module, criterion=criterion, metric=metric, device=device)
