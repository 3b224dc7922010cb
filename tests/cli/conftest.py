import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hypermnesia import cli
from hypermnesia.experiments.single_run.rundir import RunDirectory

TINY = [
    *("split-digits", "tasks.num_tasks=2", "network.hidden=[16]", "learner.chunk_size=300", "recording.log_every=1"),
    *("--device", "cpu"),
]

LONGER = ["training.iterations=150", "recording.checkpoint_every=0", "recording.log=[tensorboard]"]


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Call the command line in this process; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def go(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return go


@pytest.fixture(scope="session")
def start():
    """Start the command line, or other code, in a process of its own.

    On one thread, so that tests do not slow each other down.
    """

    def go(*arguments: object, code: str | None = None, **options) -> subprocess.Popen:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        how = ["-m", "hypermnesia"] if code is None else ["-c", code]
        command = [sys.executable, *how, *map(str, arguments)]
        return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **options)

    return go


def signal_when_a_task_is_written_down(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """Let a run in this process get a signal as soon as its first task is learned and evaluated."""
    write = RunDirectory.write_timing

    def write_and_raise(directory: RunDirectory, *arguments: object) -> None:
        write(directory, *arguments)
        signal.raise_signal(number)

    monkeypatch.setattr(RunDirectory, "write_timing", write_and_raise)


@pytest.fixture
def tiny(tmp_path) -> list[str]:
    """Arguments of a run that takes a moment."""
    return ["run", *TINY, "training.iterations=10", "--out", str(tmp_path / "run")]


@pytest.fixture
def longer(tmp_path) -> list[str]:
    """Arguments of a run that takes a few seconds, and saves after every step."""
    return ["run", *TINY, *LONGER, "--out", str(tmp_path / "run")]


@pytest.fixture(scope="session")
def uninterrupted(start, tmp_path_factory) -> Path:
    """Directory of what `longer` gives when nothing happens."""
    path = tmp_path_factory.mktemp("uninterrupted") / "run"
    process = start("run", *TINY, *LONGER, "--out", path)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    (path.parent / "stdout").write_text(stdout)
    return path
