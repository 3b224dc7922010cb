"""From settings to the things they describe: tasks and a learner."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hypermnesia.data import INSTALLED, ArraysData, DataSettings, ImageDataset, as_labeled, load
from hypermnesia.errors import ConfigurationError, shown
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.settings.task_settings import (
    Data,
    FurtherTask,
    GivenTasks,
    ListedTasks,
    PartsTasks,
    PermutedTasks,
    PolynomialTasks,
    SplitTasks,
)
from hypermnesia.inputs import Shape
from hypermnesia.learners import METHODS, ContinualLearner
from hypermnesia.learners.label_check import check_weights
from hypermnesia.memory import check_room, checked_allocations
from hypermnesia.networks import PythonNetworkSettings
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import Polynomial, PythonData, Task, given, join, listed, permuted, polynomials, split
from hypermnesia.training.device import resolve_device

_SMALL = 10_000
"""Sizes up to which settings of a learner, which has one or two of them, need no memory to speak of."""


@contextlib.contextmanager
def fitting(experiment: Experiment) -> Iterator[None]:
    """Refuse what does not fit into memory while parts of an experiment are made, and name its largest setting."""

    def blame() -> str:
        settings = sources.flatten(
            experiment.model_dump(mode="json", include={"tasks", "network", "learner", "training"})
        )
        place, value = max(settings.items(), key=lambda setting: _largest(setting[1]))
        return f"Choose smaller sizes; the largest is {place}={shown(value)}."

    with checked_allocations(blame):
        yield


def _largest(value: Any) -> float:
    if isinstance(value, list):
        return max(map(_largest, value), default=0)
    return value if isinstance(value, int | float) else 0


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
    tasks = _first_tasks(experiment, directory, device)
    if not experiment.further:
        return tasks
    columns = input_columns(experiment)
    return join(
        tasks, [_further_task(each, directory, device, experiment.seed, columns) for each in experiment.further]
    )


def input_columns(experiment: Experiment) -> tuple[str, ...]:
    """Names of the columns of inputs in the first table among its data, whose order is that of all; of others none."""
    return next((columns for source in experiment.sources if (columns := _columns(source))), ())


def _columns(source: Data) -> tuple[str, ...]:
    return source.columns() if isinstance(source, ArraysData) else ()


def _first_tasks(experiment: Experiment, directory: Path | None, device: torch.device) -> list[Task]:
    tasks, seed = experiment.tasks, experiment.seed
    arguments = tasks.model_dump(exclude={"kind", "parts", "shuffle_tasks"})
    match tasks, experiment.data:
        case PolynomialTasks(), _:
            arguments["functions"] = [Polynomial(**function) for function in arguments["functions"]]
            with fitting(experiment):
                return polynomials(**arguments, device=device, seed=seed)
        case PartsTasks(), _:
            return _joined_parts(tasks, directory, device, arguments, seed)
        case GivenTasks(), PythonData() as data:
            return _classes_only(data.make_tasks(tasks.validation, seed), data)
        case _, DataSettings() as data:
            return _MAKERS[type(tasks)](data.load(directory).to(device), **arguments, seed=seed)
    raise AssertionError(tasks)  # the experiment has been checked


_MAKERS: dict[type[Any], Callable[..., list[Task]]] = {
    SplitTasks: split,
    PermutedTasks: permuted,
    ListedTasks: listed,
    GivenTasks: given,
}


def _joined_parts(
    tasks: PartsTasks, directory: Path | None, device: torch.device, arguments: dict[str, Any], seed: int
) -> list[Task]:
    @functools.cache
    def images(name: str) -> ImageDataset:
        return load(name, None if name in INSTALLED else directory).to(device)

    # What is drawn differs between datasets, but not between parts of one: a task that comes again sets the same
    # examples aside for validation.
    parts = [
        split(
            images(part.data),
            **part.model_dump(exclude={"data"}),
            **arguments,
            seed=Seeds(seed).child("part", part.data).integer(),
        )
        for part in tasks.parts
    ]
    return join(*parts, shuffle=tasks.shuffle_tasks, seed=seed)


def _further_task(
    further: FurtherTask, directory: Path | None, device: torch.device, seed: int, columns: tuple[str, ...]
) -> Task:
    """The task of all classes of some data."""
    if isinstance(further.data, PythonData):
        made = _classes_only(further.data.make_tasks(further.validation, seed), further.data)
    else:
        source = further.data
        read = source.load(directory, columns) if isinstance(source, ArraysData) else source.load(directory)
        data = as_labeled(read.to(device))
        if data.task_names:
            made = given(data, validation=further.validation, seed=seed)
        else:
            made = listed(data, [data.class_names], validation=further.validation, seed=seed)
            made = [dataclasses.replace(made[0], name=data.name)]
    if len(made) != 1:
        raise ConfigurationError(f"a further task is one, and these data make {len(made)}: give one at a time.")
    return made[0]


def _classes_only(tasks: list[Task], data: PythonData) -> list[Task]:
    if numbers := next((task.name for task in tasks if task.labels != "classes"), None):
        raise ConfigurationError(
            f"data.call={data.call}: the labels of task {numbers!r} are numbers to predict; an experiment with tasks of"
            " one's own learns classes, given as integers. In Python, learners learn both."
        )
    return tasks


def outputs_of(task: Task) -> int:
    """Number of outputs of a task, found by reading all its labels where it takes that."""
    return task.train.present_classes()[-1] + 1 if task.num_outputs is None else task.num_outputs


def build_network(experiment: Experiment, tasks: Sequence[Task]) -> nn.Module:
    """The network of an experiment, for tasks like these, with its first weights.

    Args:
        experiment: Its network and seed are used.
        tasks: The network's inputs have the shape of theirs, and it has outputs for the largest of them.
    """
    # Further tasks must do with the network that there is.
    first = tasks[: len(tasks) - len(experiment.further)]
    return network_for(experiment, tasks[0].train.input_shape, max(map(outputs_of, first)))


def network_for(experiment: Experiment, input_shape: Shape, outputs: int) -> nn.Module:
    """The network of an experiment, with its first weights.

    Args:
        experiment: Its network and seed are used.
        input_shape: Shape of one input.
        outputs: Number of outputs.
    """
    _check_room_for_network(experiment, input_shape, outputs)
    # What is not generated starts from the module's own initial values.
    with Seeds(experiment.seed).child("network").default_generator():
        assert isinstance(input_shape, tuple)
        return experiment.network.build(input_shape, outputs)


def _check_room_for_network(experiment: Experiment, input_shape: Shape, outputs: int) -> None:
    """Refuse a network that does not fit into memory as a whole; code of somebody's own is not run for that."""
    if isinstance(experiment.network, PythonNetworkSettings):
        return
    assert isinstance(input_shape, tuple)
    with fitting(experiment):
        with torch.device("meta"):  # on which nothing is allocated
            weights = list(experiment.network.build(input_shape, outputs).parameters())
        # Twice: a learner has a copy of its own.
        check_room(2 * sum(weight.nbytes for weight in weights), "The network, with the learner's copy of it,")


def check_sizes(experiment: Experiment) -> None:
    """Refuse an experiment of sizes that this machine's memory does not hold, whatever its data are.

    They are not read: so the experiments of many runs are looked at before the first of these begins.

    Args:
        experiment: Its tasks, network and learner are used.

    Raises:
        ConfigurationError: It needs more memory than there is.

    Example:
        >>> from hypermnesia.experiments.settings.benchmark import load_experiment
        >>> check_sizes(load_experiment("split-mnist"))
    """
    experiment = experiment.model_copy(update={"device": "cpu"})
    if isinstance(experiment.tasks, PolynomialTasks):
        build_tasks(experiment)
    if isinstance(experiment.network, PythonNetworkSettings):
        return
    normalization = getattr(experiment.network, "normalization", None)
    smallest = (1 if normalization is None else len(normalization.mean), 10, 10)
    _check_room_for_network(experiment, smallest, 1)
    sizes = sources.flatten(experiment.learner.model_dump(mode="json", exclude={"method"})).values()
    if any(_largest(size) > _SMALL for size in sizes):  # to make all would take seconds
        with fitting(experiment):
            _learner(experiment, network_for(experiment, smallest, 1))


def _learner(experiment: Experiment, network: nn.Module) -> ContinualLearner:
    method = METHODS[experiment.learner.method]
    options: dict[str, Any] = {"scenario": experiment.scenario} if method.learner.trained_for_scenario else {}
    make: Callable[..., ContinualLearner] = method.learner
    return make(
        network,
        experiment.learner.model_dump(exclude={"method"}),
        criterion=experiment.learned_by,
        training=experiment.training,
        seed=experiment.seed,
        device=resolve_device(experiment.device),
        **options,
    )


def build_learner(experiment: Experiment, tasks: Sequence[Task]) -> ContinualLearner:
    """A learner that has not learned anything yet, for tasks like these.

    Args:
        experiment: Its network, learner, scenario, training, seed and device are used.
        tasks: The network's inputs have the shape of theirs, and it has outputs for the largest of them.

    Raises:
        ConfigurationError: The method does not learn such tasks, or does not answer in the experiment's scenario.
        DataError: The criterion has not as many weights as a task has classes.
    """
    method = METHODS[experiment.learner.method]
    if not isinstance(experiment.learned_by, method.learner.learns):
        raise ConfigurationError(
            f"tasks.kind={experiment.tasks.kind} is a regression, but learner.method={method.name} only learns classes."
        )
    for task in tasks:
        check_weights(task, experiment.learned_by, task.num_outputs)
    with fitting(experiment):
        learner = _learner(experiment, build_network(experiment, tasks))
    if experiment.scenario not in learner.scenarios:
        raise ConfigurationError(
            f"scenario={experiment.scenario}: {method.name} answers only where the scenario is"
            f" {' or '.join(learner.scenarios)}."
        )
    if experiment.scenario != "task" and not learner.can_infer(list(map(outputs_of, tasks))):
        single = next(task.name for task in tasks if outputs_of(task) == 1)
        raise ConfigurationError(
            f"scenario={experiment.scenario}: {method.name} infers the task by how sure each task's network is, and"
            f" that of {single!r}, which has a single class, always is. Choose scenario=task, a method that infers"
            " otherwise, as hnet-likelihood or hnet-tir, or tasks of two classes at least."
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
