"""Programs that show the figures of runs, one a file, and all of a run as one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hypermnesia.errors import CheckpointError, ConfigurationError, note
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.trackers.tracker import Tracker
from hypermnesia.extras import lacking, missing
from hypermnesia.files import read_regular, write_atomically

_CLASSES = {"tensorboard": "TensorBoard", "wandb": "WeightsAndBiases", "mlflow": "MLflow"}
"""The registry: each is in the module of its name, and its package in the extra of its name."""
_LARGEST = 1 << 16


def check_trackers(experiments: Iterable[Experiment]) -> None:
    """Refuse trackers whose packages are not installed.

    Raises:
        ConfigurationError: Names the extra.
    """
    for name in dict.fromkeys(name for each in experiments for name in each.recording.log):
        if lacks := missing(name):
            raise ConfigurationError(lacking(f"recording.log: {name}", name, lacks))


class Trackers:
    """All trackers of a run. One that fails ends nothing but itself: the run directory has every figure.

    Args:
        experiment: What is run.
        directory: The run directory.
        step: Where the run stands.

    Raises:
        ConfigurationError: One of them cannot be begun.
    """

    def __init__(self, experiment: Experiment, directory: RunDirectory, step: int) -> None:
        self._at_work: dict[str, Tracker] = {}
        if not experiment.recording.log:
            return
        known = _read(directory)
        for name in dict.fromkeys(experiment.recording.log):
            module = importlib.import_module(f"{__name__}.{name}")
            try:
                self._at_work[name] = getattr(module, _CLASSES[name])(experiment, directory, step, known.get(name))
            except Exception as error:
                self.close(finished=False)
                raise ConfigurationError(
                    f"recording.log: {name} cannot be begun ({_first_line(error)}); mend that, or leave it out."
                ) from error
        identities = {name: tracker.identity for name, tracker in self._at_work.items() if tracker.identity}
        write_atomically(directory.trackers, json.dumps(known | identities, indent=2).encode() + b"\n")

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Points of curves, by their names."""
        self._each(lambda tracker: tracker.add(values, step))

    def summarize(self, figures: Mapping[str, object]) -> None:
        """The numbers among the figures of the finished run."""
        numbers = {name: float(value) for name, value in figures.items() if isinstance(value, int | float)}
        self._each(lambda tracker: tracker.summarize(numbers))

    def flush(self) -> None:
        """Write what has been added so far."""
        self._each(lambda tracker: tracker.flush())

    def close(self, *, finished: bool) -> None:
        """End all of them."""
        self._each(lambda tracker: tracker.close(finished=finished))
        self._at_work.clear()

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._at_work.items()):
            try:
                tell(tracker)
            except Exception as error:
                if not tracker.remote:
                    raise
                del self._at_work[name]
                note(f"{name} takes no more figures ({_first_line(error)}); the run goes on.")


def _read(directory: RunDirectory) -> dict[str, str]:
    """What trackers know the run by, from when it was begun."""
    if not directory.trackers.exists():
        return {}
    try:
        found: Any = json.loads(read_regular(directory.trackers, _LARGEST, within=directory.path))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise CheckpointError(f"{directory.trackers} is damaged: remove it, and trackers begin anew.")
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
