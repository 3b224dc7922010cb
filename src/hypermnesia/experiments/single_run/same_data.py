"""Whether the examples of a run are still those that it was begun with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.settings.task_settings import NamedData
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.files import read_regular, write_atomically
from hypermnesia.tasks import Task

_LARGEST = 1 << 20
_Digests = TypeAdapter(dict[str, str])


def check_same_data(directory: RunDirectory, experiment: Experiment, tasks: Sequence[Task]) -> None:
    """Refuse to go on with other examples of one's own than a run was begun with; write down what they are.

    Published data are checked when they are read.

    Args:
        directory: Directory of the run.
        experiment: Its experiment.
        tasks: Its tasks, with their examples.

    Raises:
        ConfigurationError: The examples of a task are others than before.
    """
    if all(isinstance(source, NamedData) for source in experiment.sources):
        return
    before, now = _written(directory), {task.name: _digest(task) for task in tasks}
    if changed := [name for name, digest in now.items() if before.get(name, digest) != digest]:
        raise ConfigurationError(
            f"{directory.path} cannot go on: the examples of {', '.join(map(repr, changed[:3]))} are no longer those"
            " that the run was begun with. Bring the files back to what they were, or start again (overwrite)."
        )
    if before != (after := {**before, **now}):
        write_atomically(directory.data, json.dumps(after, indent=2).encode())


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
