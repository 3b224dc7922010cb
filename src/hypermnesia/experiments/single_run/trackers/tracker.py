"""What every tracker is told: figures as they are measured, and at the end the summary."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar

from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.rundir import RunDirectory


class Tracker(abc.ABC):
    """Program that shows the figures of runs, besides the run directory, which has them all.

    Args:
        experiment: What is run: its settings are shown, too.
        directory: The run directory.
        step: Where the run stands.
        known: What `identity` was when the run was begun; None for a new one.

    Raises:
        Exception: It cannot be reached.
    """

    remote: ClassVar[bool]
    """Whether figures leave the run directory: then a run goes on without a tracker that fails."""

    identity: str | None = None
    """By what a resumed run finds itself again; None where its directory says it."""

    @abc.abstractmethod
    def __init__(self, experiment: Experiment, directory: RunDirectory, step: int, known: str | None) -> None: ...

    @abc.abstractmethod
    def add(self, values: Mapping[str, float], step: int) -> None:
        """Points of curves, by their names."""

    @abc.abstractmethod
    def summarize(self, figures: Mapping[str, float]) -> None:
        """The figures of the finished run."""

    def flush(self) -> None:  # noqa: B027 - most write at once
        """Write what has been added so far; called before each checkpoint."""

    @abc.abstractmethod
    def close(self, *, finished: bool) -> None:
        """Write the rest and end."""
