"""TensorBoard: event files in the run directory."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from torch.utils.tensorboard import SummaryWriter

from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.trackers.tracker import Tracker
from hypermnesia.files import named


class TensorBoard(Tracker):
    """Writes event files. Events of steps after the last checkpoint, left by a killed run, no longer show."""

    remote = False

    def __init__(self, experiment: Experiment, directory: RunDirectory, step: int, known: str | None) -> None:
        self._directory, self._step = directory.tensorboard, step
        new = not self._directory.exists()
        self._hook = threading.excepthook
        threading.excepthook = self._on_thread_error
        self._writer = SummaryWriter(self._directory, purge_step=step + 1)
        if new:
            with named(self._directory):
                self._writer.add_text("settings", f"```yaml\n{experiment.to_yaml()}```", 0)

    def add(self, values: Mapping[str, float], step: int) -> None:
        self._step = step
        with named(self._directory):
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def summarize(self, figures: Mapping[str, float]) -> None:
        self.add({f"summary/{name}": value for name, value in figures.items()}, self._step)

    def flush(self) -> None:
        with named(self._directory):
            self._writer.flush()

    def close(self, *, finished: bool) -> None:
        try:
            with named(self._directory):
                self._writer.close()
        finally:
            threading.excepthook = self._hook

    def _on_thread_error(self, error: threading.ExceptHookArgs) -> None:
        # The writer has a thread of its own; what goes wrong there (a full disk) is raised again by the next call in
        # ours, so it need not be printed as well.
        if not issubclass(error.exc_type, OSError):
            self._hook(error)
