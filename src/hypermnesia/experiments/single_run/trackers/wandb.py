"""Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping

import wandb

from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.trackers.tracker import Tracker


class WeightsAndBiases(Tracker):
    """Logs to a project, `hypermnesia` unless WANDB_PROJECT names another; WANDB_MODE=offline needs no network."""

    remote = True

    def __init__(self, experiment: Experiment, directory: RunDirectory, step: int, known: str | None) -> None:
        # What it would print, or take from the terminal, is ours. It looks neither for code nor for a git remote.
        settings = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "hypermnesia"),
            name=f"{experiment.name}-seed{experiment.seed}",
            group=experiment.name,
            tags=[experiment.learner.method, experiment.scenario],
            config=experiment.model_dump(mode="json"),
            dir=directory.path,
            id=known,
            resume="allow",
            reinit="create_new",
            settings=settings,
        )
        self.identity = self._run.id
        # Not its own count of steps, which never goes back: a killed run makes some steps again, with the same figures.
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")

    def add(self, values: Mapping[str, float], step: int) -> None:
        self._run.log({**values, "step": step})

    def summarize(self, figures: Mapping[str, float]) -> None:
        self._run.summary.update(dict(figures))

    def close(self, *, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)
