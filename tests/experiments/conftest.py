from pathlib import Path

import pytest
from rich.console import Console

from hypermnesia.criteria import ACCURACY
from hypermnesia.evaluation.progress import ProgressDisplay
from hypermnesia.experiments.settings.build import build_tasks
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.run import run
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.summary import Summary
from tests.runs import load

TINY = [
    "tasks.num_tasks=3",
    "network.hidden=[16]",
    "learner.chunk_size=300",
    "training.iterations=20",
    "recording.log_every=1",
    "device=cpu",
]

TINY_REPLAY = [
    *("tasks.num_tasks=3", "network.hidden=[16]", "training.iterations=6", "recording.log_every=1", "device=cpu"),
    *("learner.replay.model.hidden=[8]", "learner.replay.model.encoder_hidden=[8]"),
    "learner.replay.model.hypernetwork.chunk_size=300",
]


class Watcher(ProgressDisplay):
    """A display that remembers."""

    def __init__(self):
        super().__init__(Console(), [], ACCURACY)
        self.notes, self.steps, self.evaluations, self.rows = [], [], [], []

    def note(self, text):
        self.notes.append(text)

    def learning(self, task, progress):
        self.steps.append((task, progress.iteration))

    def evaluating(self, after, task):
        self.evaluations.append((after, task))

    def evaluated(self, after, row):
        self.rows.append(row)


@pytest.fixture(scope="session")
def tiny() -> Experiment:
    return load("split-digits", TINY)


@pytest.fixture(scope="session", params=["hnet-r", "hnet-tir"])
def tiny_replay(request) -> Experiment:
    """Inputs of past tasks are replayed; their task is inferred."""
    more = ["learner.chunk_size=300"] if request.param == "hnet-tir" else []
    return load("split-digits", TINY_REPLAY + more, request.param)


def _carry_out(experiment: Experiment, path: Path, **arguments) -> tuple[Path, Summary, Watcher]:
    watcher = Watcher()
    summary = run(experiment, build_tasks(experiment), RunDirectory(path), display=watcher, **arguments)
    return path, summary, watcher


@pytest.fixture
def carry_out(tmp_path):
    """Run an experiment in a directory below `tmp_path`; returns directory, summary and watcher."""
    return lambda experiment, name, **arguments: _carry_out(experiment, tmp_path / name, **arguments)


@pytest.fixture(scope="session")
def whole(tiny, tmp_path_factory) -> Path:
    """Directory of a run of `tiny` that nothing interrupted."""
    return _carry_out(tiny, tmp_path_factory.mktemp("whole") / "run")[0]


@pytest.fixture(scope="session")
def whole_replay(tiny_replay, tmp_path_factory) -> Path:
    """Directory of a run of `tiny_replay` that nothing interrupted."""
    return _carry_out(tiny_replay, tmp_path_factory.mktemp("whole") / "run")[0]
