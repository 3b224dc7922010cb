"""What a finished run has learned, opened to be used; its data are not needed."""

from __future__ import annotations

from pathlib import Path

from hypermnesia.experiments.settings.build import network_for
from hypermnesia.experiments.settings.own_files import check_trusted
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.learners import METHODS, ContinualLearner
from hypermnesia.training.checkpoint import read_state
from hypermnesia.training.device import resolve_device


def open_learner(path: Path, device: str = "cpu", *, trust: bool = False) -> ContinualLearner:
    """Open the learner of a finished run.

    Args:
        path: Directory of the run.
        device: Device on which it is to be used; need not be where it has learned.
        trust: Whether code that the directory names may be run.

    Raises:
        ConfigurationError: It is no run directory, its settings are damaged, the run is not finished, or there is no
            such device, or its network is made by code that is not trusted.
        CheckpointError: The learner is damaged.
    """
    directory = RunDirectory(path)
    experiment = directory.read_finished_experiment()
    check_trusted(experiment, path, trust=trust, data=False)
    state = read_state(directory.learner)["state"]
    outputs = max(task["outputs"] for task in state["learned"])
    network = network_for(experiment, tuple(state["input_shape"]), outputs)
    return METHODS[experiment.learner.method].learner.load(directory.learner, network, device=resolve_device(device))
