"""Whether the examples of a run are still those that it was begun with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.settings.task_settings import NamedData
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.files import read_regular, write_atomically
from hypermnesia.tasks import Task

_LARGEST = 1 << 20
_Digests = TypeAdapter(dict[str, str])


def has_own_data(experiment: Experiment) -> bool:
    """Whether it learns examples of somebody's own, which may change; published data are checked when they are read."""
    return not all(isinstance(source, NamedData) for source in experiment.sources)


def digests(tasks: Sequence[Task]) -> dict[str, str]:
    """A digest of each task's examples, by the name of the task."""
    return {task.name: _digest(task) for task in tasks}


def check_same_data(directory: RunDirectory, experiment: Experiment, tasks: Sequence[Task]) -> None:
    """Refuse to go on with other examples of one's own than a run was begun with; write down what they are.

    Args:
        directory: Directory of the run.
        experiment: Its experiment.
        tasks: Its tasks, with their examples.

    Raises:
        ConfigurationError: The examples of a task are others than before.
    """
    if not has_own_data(experiment):
        return
    before, now = _written(directory), digests(tasks)
    check_unchanged(directory, now, "choose another directory (out)")
    if before != (after := {**before, **now}):
        write_atomically(directory.data, json.dumps(after, indent=2).encode())


def check_unchanged(directory: RunDirectory, now: Mapping[str, str], otherwise: str = "") -> None:
    """Refuse other examples than those that a run was begun with, as far as they are written down.

    Args:
        directory: Directory of the run.
        now: Digests of the examples that there are.
        otherwise: What may be done instead of bringing back the files.

    Raises:
        ConfigurationError: The examples of a task are others than before.
    """
    before = _written(directory)
    if changed := [name for name, digest in now.items() if before.get(name, digest) != digest]:
        raise ConfigurationError(
            f"{directory.path} cannot go on: the examples of {', '.join(map(repr, changed[:3]))} are no longer those"
            f" that the run was begun with. Bring the files back to what they were{otherwise and f', or {otherwise}'}."
        )


def _written(directory: RunDirectory) -> dict[str, str]:
    if not directory.data.exists():
        return {}
    try:
        return _Digests.validate_json(read_regular(directory.data, _LARGEST, within=directory.path))
    except ValidationError as error:
        raise ConfigurationError(f"{directory.data} is damaged: it must hold a digest for each task.") from error


def _digest(task: Task) -> str:
    identity = [task.identity(), None if task.test is None else task.test.identity()]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
