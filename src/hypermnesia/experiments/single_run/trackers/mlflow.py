"""MLflow: a server, or a database here, as MLFLOW_TRACKING_URI says."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.trackers.tracker import Tracker

_AT_ONCE, _LONGEST = 100, 6000
"""Parameters in one request, and characters of one, that MLflow takes."""


class MLflow(Tracker):
    """Logs to an experiment of MLflow, `hypermnesia` unless MLFLOW_EXPERIMENT_NAME names another."""

    remote = True

    def __init__(self, experiment: Experiment, directory: RunDirectory, step: int, known: str | None) -> None:
        self._client = MlflowClient()
        self._run = known or self._begun(experiment)
        self.identity = self._run
        if known:
            self._client.update_run(known, status="RUNNING")
            return
        settings = sources.flatten(experiment.model_dump(mode="json")).items()
        params = [Param(place, str(value)[:_LONGEST]) for place, value in settings]
        for start in range(0, len(params), _AT_ONCE):
            self._client.log_batch(self._run, params=params[start : start + _AT_ONCE])

    def add(self, values: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def summarize(self, figures: Mapping[str, float]) -> None:
        self.add({f"summary/{name}": value for name, value in figures.items()}, 0)

    def close(self, *, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")

    def _begun(self, experiment: Experiment) -> str:
        """Number of a new run."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "hypermnesia")
        found = self._client.get_experiment_by_name(name)
        number = found.experiment_id if found else self._client.create_experiment(name)
        return str(self._client.create_run(number, run_name=f"{experiment.name}-seed{experiment.seed}").info.run_id)
