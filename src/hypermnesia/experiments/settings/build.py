"""From settings to the things they describe: tasks and a learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from hypermnesia.data import load
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.config import Experiment, SplitTasks
from hypermnesia.learners import METHODS, ContinualLearner
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import Polynomial, Task, permuted, polynomials, split
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
        >>> from hypermnesia.experiments.settings.benchmark import load_experiment
        >>> len(build_tasks(load_experiment("split-digits")))
        5
    """
    device = resolve_device(experiment.device)
    arguments = {**experiment.tasks.model_dump(exclude={"kind"}), "seed": experiment.seed}
    if experiment.data is None:
        arguments["functions"] = [Polynomial(**function) for function in arguments["functions"]]
        return polynomials(**arguments, device=device)
    images = load(experiment.data.name, directory).to(device)
    match experiment.tasks:
        case SplitTasks():
            return split(images, **arguments)
        case _:
            return permuted(images, **arguments)


def build_network(experiment: Experiment, tasks: Sequence[Task]) -> nn.Module:
    """The network of an experiment, for tasks like these, with its first weights.

    Args:
        experiment: Its network and seed are used.
        tasks: The network's inputs have the shape of theirs, and it has outputs for the largest of them.
    """
    outputs = max(task.num_outputs for task in tasks if task.num_outputs is not None)
    # What is not generated starts from the module's own initial values.
    with Seeds(experiment.seed).child("network").default_generator():
        return experiment.network.build(tuple(tasks[0].train.input_shape), outputs)


def build_learner(experiment: Experiment, tasks: Sequence[Task]) -> ContinualLearner:
    """A learner that has not learned anything yet, for tasks like these.

    Args:
        experiment: Its network, learner, scenario, training, seed and device are used.
        tasks: The network's inputs have the shape of theirs, and it has outputs for the largest of them.

    Raises:
        ConfigurationError: The method does not learn such tasks, or does not answer in the experiment's scenario.
    """
    method = METHODS[experiment.learner.method]
    if experiment.problem not in method.learner.problems:
        raise ConfigurationError(
            f"tasks.kind={experiment.tasks.kind} is a regression, but learner.method={method.name} only learns classes."
        )
    options: dict[str, Any] = {"scenario": experiment.scenario} if method.learner.trained_for_scenario else {}
    make: Callable[..., ContinualLearner] = method.learner
    learner = make(
        build_network(experiment, tasks),
        experiment.learner.model_dump(exclude={"method"}),
        training=experiment.training,
        seed=experiment.seed,
        device=resolve_device(experiment.device),
        **options,
    )
    learner.problem = experiment.problem
    if experiment.scenario not in learner.scenarios:
        raise ConfigurationError(
            f"scenario={experiment.scenario}: {method.name} answers only where the scenario is"
            f" {' or '.join(learner.scenarios)}."
        )
    return learner


def load_learner(experiment: Experiment, tasks: Sequence[Task], path: Path) -> ContinualLearner:
    """The learner of an experiment, as it was saved.

    Args:
        experiment: Its network, learner, seed and device are used.
        tasks: As it has learned.
        path: The file learner.safetensors of a run.

    Raises:
        CheckpointError: It is missing, damaged, or of another experiment.
    """
    network = build_network(experiment, tasks)
    return METHODS[experiment.learner.method].learner.load(path, network, device=resolve_device(experiment.device))
