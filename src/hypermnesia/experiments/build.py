"""From settings to the things they describe: tasks and a learner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypermnesia.data import load
from hypermnesia.experiments.config import (
    Experiment,
    HypernetworkMethod,
    LikelihoodMethod,
    PermutedTasks,
    ReplayMethod,
    SplitTasks,
    TaskInferenceMethod,
)
from hypermnesia.learners import (
    ContinualLearner,
    HypernetworkLearner,
    LikelihoodLearner,
    ReplayLearner,
    TaskInferenceLearner,
)
from hypermnesia.networks import mlp
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import Task, permuted, split
from hypermnesia.training.device import resolve_device


def build_tasks(experiment: Experiment, directory: Path | None = None) -> list[Task]:
    """The tasks of an experiment, in the order they are learned, on the device they are learned on.

    Args:
        experiment: Its data, tasks, seed and device are used.
        directory: Where the data lie; None looks at the usual places and downloads what is missing.

    Raises:
        ConfigurationError: The data cannot be divided into such tasks, or there is no such device.
        DataError: Missing or damaged data.

    Example:
        >>> from hypermnesia.experiments import config
        >>> len(build_tasks(config.load("split-digits")))
        5
    """
    images = load(experiment.data.name, directory).to(resolve_device(experiment.device))
    arguments = experiment.tasks.model_dump(exclude={"kind"})
    match experiment.tasks:
        case SplitTasks():
            return split(images, **arguments, seed=experiment.seed)
        case PermutedTasks():
            return permuted(images, **arguments, seed=experiment.seed)


def build_learner(experiment: Experiment, tasks: Sequence[Task]) -> ContinualLearner:
    """A learner that has not learned anything yet, for tasks like these.

    Args:
        experiment: Its network, learner, scenario, training, seed and device are used.
        tasks: The network's inputs have the shape of theirs, and it has outputs for the largest of them.
    """
    outputs = max(task.num_classes for task in tasks if task.num_classes is not None)
    # What is not generated starts from the module's own initial values.
    with Seeds(experiment.seed).child("network").default_generator():
        inputs = math.prod(tasks[0].train.input_shape)
        network = mlp(inputs, experiment.network.hidden, outputs, experiment.network.activation)
    options: dict[str, Any] = {
        "training": experiment.training,
        "seed": experiment.seed,
        "device": resolve_device(experiment.device),
        **experiment.learner.model_dump(exclude={"method"}),
    }
    match experiment.learner:
        case HypernetworkMethod():
            return HypernetworkLearner(network, **options)
        case TaskInferenceMethod():
            return TaskInferenceLearner(network, **options)
        case LikelihoodMethod():
            return LikelihoodLearner(network, **options)
        case ReplayMethod():
            return ReplayLearner(network, scenario=experiment.scenario, **options)
