"""One run on several devices, started by torchrun: killed, stopped, and refused where it makes no sense."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hypermnesia.training.checkpoint import Checkpoints

pytestmark = pytest.mark.slow

TASKS = ["split-digits", "tasks.num_tasks=2", "network.hidden=[16]", "learner.chunk_size=300", "recording.log_every=1"]
RUN = ["run", *TASKS, "--device", "cpu", "training.iterations=60", "recording.checkpoint_every=0"]


@pytest.fixture
def torchrun(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if sys.platform == "linux":
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    started = []

    def go(ranks: int, *arguments: object) -> subprocess.Popen:
        how = ["-m", "torch.distributed.run", "--standalone", "--max-restarts", 2, "--nproc-per-node", ranks]
        command = map(str, [sys.executable, *how, "-m", "hypermnesia", *arguments])
        started.append(subprocess.Popen([*command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield go
    for process in started:
        if process.poll() is None:
            process.terminate()  # it ends its ranks, which have sessions of their own
            process.communicate(timeout=60)


def ranks_of(process: subprocess.Popen) -> list[int]:
    """Processes that torchrun has started, in the order of their ranks."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_until_lines(process: subprocess.Popen, path: Path, number: int) -> None:
    end = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") < number:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)


def finished(process: subprocess.Popen) -> tuple[str, str]:
    stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    return stdout, stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the ranks in /proc")
def test_a_run_of_which_ranks_are_killed_goes_on_from_its_checkpoint_to_the_same_measurements(torchrun, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    stdout, _ = finished(torchrun(2, *RUN, "--out", whole))
    assert stdout.count("written to") == 1

    process = torchrun(2, *RUN, "--out", killed)
    for rank, lines in ((1, 30), (0, 80)):
        wait_until_lines(process, killed / "metrics.jsonl", lines)
        os.kill(ranks_of(process)[rank], signal.SIGKILL)
    stdout, _ = finished(process)
    assert stdout.count("Resumed after") == 2
    for name in ("metrics.jsonl", "accuracy.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_a_run_that_is_stopped_on_two_ranks_is_resumed_on_one(torchrun, call, tmp_path):
    run = tmp_path / "run"
    process = torchrun(2, *RUN, "--out", run)
    wait_until_lines(process, run / "metrics.jsonl", 80)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=60)
    assert "Stopped, and saved. Go on with: hypermnesia run --resume" in stdout + stderr
    saved, _ = Checkpoints(run / "checkpoint").latest()
    lines = (run / "metrics.jsonl").read_bytes()
    assert saved["position"] == {"length": len(lines), "sha256": hashlib.sha256(lines).hexdigest()}

    code, stdout, stderr = call("run", "--resume", "--out", run)
    assert code == 0, stderr
    assert "Resumed after 1 of 2 tasks" in stdout
    assert (run / "metrics.jsonl").read_bytes().startswith(lines)


def test_only_single_runs_are_for_torchrun(torchrun, tmp_path):
    process = torchrun(1, "compare", "split-digits", "--out", tmp_path / "compare")
    _, stderr = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "torchrun is for one run" in stderr
