"""A finished run of a hypernetwork, opened to be looked into."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.build import build_network, build_tasks
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.settings.own_files import check_trusted
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.learners import HypernetworkLearner
from hypermnesia.tasks import Task
from hypermnesia.training.device import resolve_device


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """Finished run: its settings and results.

    Attributes:
        directory: Directory of the run.
        experiment: What was run.
        tasks: In the order they were learned, with their data.
        learner: After the last task.
    """

    directory: RunDirectory
    experiment: Experiment
    tasks: list[Task]
    learner: HypernetworkLearner

    @property
    def title(self) -> str:
        """Title for people."""
        return f"{self.experiment.name}, seed {self.experiment.seed}"

    @property
    def fingerprint(self) -> str:
        """Differs from that of any run with another result."""
        return hashlib.sha256(self.directory.learner.read_bytes()).hexdigest()

    @property
    def keeps_learners(self) -> bool:
        """Whether the learner is kept as it was after each task."""
        return self.experiment.recording.keep_learners

    def learner_after(self, tasks: int) -> HypernetworkLearner:
        """The learner as it was after so many tasks, from one up to all.

        Raises:
            ConfigurationError: The run did not keep it; says how to make one that does.
            CheckpointError: The file is missing or damaged.
        """
        if not self.keeps_learners:
            raise ConfigurationError(
                f"{self.directory.path} does not hold the learner as it was after each task: run the experiment with"
                " recording.keep_learners=true, into another directory."
            )
        return _load(self.directory.learner_after(tasks), self.experiment, self.tasks)


def open_run(path: Path, data: Path | None = None, *, trust: bool = False) -> FinishedRun:
    """Open the directory of a finished run whose learner is a `HypernetworkLearner`.

    Args:
        path: The directory.
        data: Where the data lie; None looks at the usual places and downloads what is missing.
        trust: Whether code and files outside of it that the directory names may be run and read.

    Raises:
        ConfigurationError: It is no run directory, its settings are damaged, the run is not finished, its learner
            is another one, or it names what is not trusted.
        CheckpointError: The learner is damaged.
        DataError: Missing or damaged data.
    """
    directory = RunDirectory(path)
    experiment = directory.read_finished_experiment()
    if experiment.learner.method != "hnet":
        raise ConfigurationError(
            f"{path} is a run of learner.method={experiment.learner.method}; only runs of learner.method=hnet can be"
            " analyzed."
        )
    if experiment.labels != "classes":
        raise ConfigurationError(f"{path}: its tasks are regressions; accuracies are of classes.")
    check_trusted(experiment, path, trust=trust)
    tasks = build_tasks(experiment, data)
    return FinishedRun(directory, experiment, tasks, _load(directory.learner, experiment, tasks))


def _load(path: Path, experiment: Experiment, tasks: list[Task]) -> HypernetworkLearner:
    network = build_network(experiment, tasks)
    return HypernetworkLearner.load(path, network, device=resolve_device(experiment.device))
