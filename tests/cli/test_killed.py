"""Runs that are killed, interrupted or out of disk, in processes of their own, and then resumed."""

import csv
import os
import pty
import random
import resource
import shlex
import signal
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing import event_accumulator

pytestmark = pytest.mark.slow


def measurements(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in ("metrics.jsonl", "accuracy.csv", "config.yaml")}


def curves(path: Path) -> dict[str, dict[int, float]]:
    """What TensorBoard would show, times apart."""
    events = event_accumulator.EventAccumulator(str(path / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.endswith("seconds")]
    return {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in tags}


def wait_until(process, reached) -> None:
    while not reached():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.002)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def kill_while_a_checkpoint_is_written(process, folder: Path) -> None:
    """SIGKILL between the moment that the file aside appears and its renaming: looked at while the process stands."""
    while True:
        wait_until(process, lambda: any(folder.glob(".*.tmp")))
        os.kill(process.pid, signal.SIGSTOP)
        if any(folder.glob(".*.tmp")):
            break
        os.kill(process.pid, signal.SIGCONT)
    process.kill()
    process.communicate()
    assert any(folder.glob(".*.tmp"))


def test_a_run_killed_at_any_moment_is_resumed_to_the_same_measurements(start, longer, uninterrupted, tmp_path):
    run = tmp_path / "run"
    total = size(uninterrupted / "metrics.jsonl")
    early, late = sorted(random.Random(time.time_ns()).sample(range(total - 2000), 2))

    for moment in (early, late):
        process = start(*longer, "--resume")
        wait_until(process, lambda moment=moment: size(run / "metrics.jsonl") > moment)
        process.kill()
        process.communicate()
    kill_while_a_checkpoint_is_written(start(*longer, "--resume"), run / "checkpoint")

    process = start(*longer, "--resume")
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert "Resumed after" in stdout
    assert measurements(run) == measurements(uninterrupted), f"killed at {early} and {late} of {total} bytes"
    assert not any((run / "checkpoint").glob(".*.tmp"))
    assert curves(run) == curves(uninterrupted)


def test_two_processes_never_write_into_one_run(start, call, longer, tmp_path):
    process = start(*longer)
    wait_until(process, lambda: size(tmp_path / "run" / "metrics.jsonl") > 0)
    before = size(tmp_path / "run" / "environment.json")
    for how in ("--resume", "--overwrite"):
        code, _, err = call(*longer, how)
        assert code == 2
        assert "is in use: another process writes into it" in err
    assert size(tmp_path / "run" / "environment.json") == before
    process.kill()
    process.communicate()


def test_a_run_with_replay_that_is_killed_is_resumed_to_the_same_measurements(start, call, tmp_path):
    """Only the killed one is a process of its own; the others would take longer to start than to run."""
    settings = [
        *("run", "split-digits", "--method", "hnet-r", "tasks.num_tasks=2", "network.hidden=[16]"),
        *("learner.replay.model.hidden=[16]", "learner.replay.model.encoder_hidden=[16]", "--device", "cpu"),
        *("training.iterations=40", "recording.log_every=1", "recording.checkpoint_every=0"),
    ]
    code, _, stderr = call(*settings, "--out", tmp_path / "whole")
    assert code == 0, stderr
    total, run = size(tmp_path / "whole" / "metrics.jsonl"), tmp_path / "run"
    # Amid the second task, the only one that has something to replay.
    moment = random.Random(time.time_ns()).randrange(total // 2, total - 2000)

    process = start(*settings, "--out", run)
    wait_until(process, lambda: size(run / "metrics.jsonl") > moment)
    process.kill()
    process.communicate()
    code, stdout, stderr = call("run", "--resume", "--out", run)
    assert code == 0, stderr
    assert "Resumed after 1 of 2 tasks" in stdout
    assert measurements(run) == measurements(tmp_path / "whole"), f"killed at {moment} of {total} bytes"
    for name in ("task_inference.csv", "replay.png"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_ctrl_c_and_termination_save_and_tell_how_to_go_on(start, longer, uninterrupted, tmp_path):
    metrics = tmp_path / "run" / "metrics.jsonl"
    total = size(uninterrupted / "metrics.jsonl")

    ours, theirs = pty.openpty()
    process = start(*longer, stdout=theirs)
    wait_until(process, lambda: size(metrics) > total // 4)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=300)[1]
    screen = os.read(ours, 1 << 16).decode()
    os.close(ours), os.close(theirs)
    assert process.returncode == 130
    assert "task 1/2 (digits 0/1)" in screen
    assert "\x1b[" in screen
    program, *again = shlex.split(stderr.splitlines()[-1].partition("Go on with: ")[2])
    assert program == "hypermnesia"

    process = start(*again)
    wait_until(process, lambda: size(metrics) > total // 2)
    process.terminate()
    process.communicate(timeout=300)
    assert process.returncode == 143

    process = start(*again)
    stderr = process.communicate(timeout=300)[1]
    assert process.returncode == 0, stderr
    assert measurements(tmp_path / "run") == measurements(uninterrupted)


def test_a_file_that_cannot_be_written_ends_with_1_and_loses_nothing(start, longer, uninterrupted, tmp_path):
    def limit() -> None:
        """No file may become longer than this, which metrics.jsonl does half-way."""
        half = size(uninterrupted / "metrics.jsonl") // 2
        resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))

    rarely = [each.replace("checkpoint_every=0", "checkpoint_every=1000") for each in longer]
    process = start(*rarely, preexec_fn=limit)
    stderr = process.communicate(timeout=300)[1]
    assert process.returncode == 1, stderr
    assert "Writing failed: " in stderr
    assert "Traceback" not in stderr

    process = start(*shlex.split(stderr.partition("go on with: hypermnesia ")[2]))
    stderr = process.communicate(timeout=300)[1]
    assert process.returncode == 0, stderr
    ours, whole = measurements(tmp_path / "run"), measurements(uninterrupted)
    assert [ours[name] for name in ("metrics.jsonl", "accuracy.csv")] == [
        whole[name] for name in ("metrics.jsonl", "accuracy.csv")
    ]


def test_time_for_which_a_run_is_stopped_does_not_count_as_learning(start, longer, tmp_path):
    begun = time.monotonic()
    process = start(*longer)
    wait_until(process, lambda: size(tmp_path / "run" / "metrics.jsonl") > 0)
    process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    time.sleep(5)
    stopped = time.monotonic() - stopped
    process.send_signal(signal.SIGCONT)
    assert process.communicate()[1] == ""
    rows = csv.DictReader((tmp_path / "run" / "timing.csv").open())
    counted = sum(float(row["learning_seconds"]) + float(row["evaluation_seconds"]) for row in rows)
    assert counted < time.monotonic() - begun - stopped
