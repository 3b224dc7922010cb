"""A finished run goes on with one more task, in a directory of its own."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hypermnesia.errors import CheckpointError, ConfigurationError
from hypermnesia.experiments.settings.build import build_learner
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.same_data import check_unchanged, digests
from hypermnesia.experiments.single_run.summary import RunState
from hypermnesia.tasks import Task
from hypermnesia.training.checkpoint import Checkpoints


def begin_further(
    finished: RunDirectory,
    directory: RunDirectory,
    experiment: Experiment,
    tasks: Sequence[Task],
    environment: Mapping[str, Any],
) -> None:
    """Make a run directory in which a finished run stands before one more task; to resume it learns that task.

    The finished run stays as it is. The new directory appears complete or not at all.

    Args:
        finished: Directory of the finished run.
        directory: Where the new one is to be; must be free.
        experiment: That of the finished run, with one task more.
        tasks: Its tasks, the new one last.
        environment: Versions and device.

    Raises:
        CheckpointError: The finished run has no state to go on from.
        ConfigurationError: The examples of the earlier tasks have changed, settings do not fit the new task, or the
            directory cannot be made.
        DataError: The new task does not fit the network, or the earlier tasks.
    """
    if finished.data.is_file():
        check_unchanged(finished, digests(tasks[:-1]))
    saved, messages = Checkpoints(finished.checkpoint).latest()
    if saved is None:
        why = " ".join(messages) or f"there is nothing in {finished.checkpoint}"
        raise CheckpointError(f"{finished.path} has no state to go on from: {why}.")
    names = [task.name for task in tasks]
    try:
        state = RunState.of_dict(saved["run"], names[:-1])
        learner = build_learner(experiment, tasks)
        learner.load_state_dict(saved["learner"])
    except (KeyError, TypeError, CheckpointError) as error:
        raise CheckpointError(
            f"{finished.path} cannot go on: its state does not fit its settings ({error})."
        ) from error
    learner.recall(tasks[:-1])
    learner.check(tasks[-1])

    state.tasks, state.averages = names, {}
    state.rows = [[*row, None] for row in state.rows]
    path = directory.path.resolve()
    made = RunDirectory(path.with_name(f".{path.name}.begun"))
    # In the place of what a killed process left behind; of several processes that begin it at once, one does.
    with contextlib.ExitStack() as held:
        held.enter_context(made.opened(experiment, environment, resume=False, overwrite=True))
        for file in (finished.metrics, finished.data):
            if file.is_file():
                shutil.copyfile(file, made.path / file.name)
        if finished.learners.is_dir():
            shutil.copytree(finished.learners, made.learners)
        Checkpoints(made.checkpoint).save(sum(state.iterations), {**saved, "run": state.as_dict()})
        try:
            if sys.platform == "win32":  # where no directory is renamed in which a file is open
                held.close()
                if path.is_dir():
                    path.rmdir()
            made.path.rename(path)  # also where an empty directory is
        except OSError as error:
            raise ConfigurationError(
                f"{directory.path} cannot be made: {error.strerror}; choose another directory (out)."
            ) from error
