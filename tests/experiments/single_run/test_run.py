import csv
import itertools
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open

from hypermnesia import HypernetworkLearner, ReplayLearner, TaskInferenceLearner
from hypermnesia.errors import CheckpointError, DivergenceError
from hypermnesia.experiments.settings.build import build_tasks
from hypermnesia.experiments.settings.sources import parse
from hypermnesia.experiments.single_run.run import RunStopped
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.networks import mlp
from hypermnesia.report.summary import draw_pictures
from tests.runs import load


def measurements(path):
    files = {name: (path / name).read_bytes() for name in ("metrics.jsonl", "accuracy.csv", "config.yaml")}
    summary = json.loads((path / "summary.json").read_text())
    found = {name: value for name, value in summary.items() if name != "directory" and "seconds" not in name}
    return {**files, "summary": found, "learner": fingerprint(path / "learner.safetensors")}


def fingerprint(file):
    """Holds a SHA-256 of all tensors. The order of the entries in such a file is a matter of chance."""
    with safe_open(file, framework="pt") as file:
        return file.metadata()


def lines(path):
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def after(calls):
    """Asks to stop at the call of that number."""
    counter = itertools.count(1)
    return lambda: next(counter) >= calls


def test_a_run_writes_down_what_it_measured(tiny, carry_out):
    path, summary, watcher = carry_out(tiny, "run")
    assert load(str(path / "config.yaml")) == tiny

    steps = [record for record in lines(path) if record["kind"] == "step"]
    assert [(record["task"], record["iteration"]) for record in steps] == watcher.steps
    assert [record["step"] for record in steps] == list(range(1, 61))
    assert {"loss", "task_loss", "regularizer", "accuracy"} < steps[0].keys()

    evaluations = [record for record in lines(path) if record["kind"] == "evaluation"]
    assert [(record["after"], record["task"]) for record in evaluations] == watcher.evaluations
    head, *rows = csv.reader((path / "accuracy.csv").open())
    assert head == ["after", "digits 0/1", "digits 2/3", "digits 4/5"]
    for record in evaluations:
        assert float(rows[record["after"]][1 + record["task"]]) == record["test_accuracy"]
    assert rows[0][2:] == ["", ""]

    saved = json.loads((path / "summary.json").read_text())
    assert saved == summary.as_dict()
    assert saved["average_accuracy"] == np.mean(saved["accuracy"][-1])
    assert saved["iterations"] == 60
    assert saved["forward_transfer"] is None
    assert len((path / "timing.csv").read_text().splitlines()) == 4
    assert json.loads((path / "environment.json").read_text())[0]["torch"] == torch.__version__
    assert json.loads((path / "environment.json").read_text())[0]["threads"] == tiny.threads == 1

    learner = HypernetworkLearner.load(path / "learner.safetensors", mlp(64, [16], 2))
    assert learner.num_tasks == 3
    assert saved["num_weights"] == learner.num_weights
    # A further task costs its embedding.
    assert saved["memory_bytes"][-1] == learner.memory_bytes
    assert np.diff(saved["memory_bytes"]).tolist() == [4 * tiny.learner.embedding_dim] * 2
    assert 0 < saved["learning_seconds"] < saved["seconds"]


def test_the_same_seed_gives_the_same_run_whatever_is_measured_or_saved_between(tiny, whole, carry_out):
    busy = tiny.model_copy(
        update={
            "evaluation": tiny.evaluation.model_copy(update={"tasks": "diagonal-and-last-row"}),
            "recording": tiny.recording.model_copy(update={"checkpoint_every": 0.0}),
        }
    )
    other, *_ = carry_out(busy, "b")
    assert fingerprint(whole / "learner.safetensors") == fingerprint(other / "learner.safetensors")
    third, *_ = carry_out(tiny.model_copy(update={"seed": 1}), "c")
    assert fingerprint(whole / "learner.safetensors")["sha256"] != fingerprint(third / "learner.safetensors")["sha256"]


def all_files(path):
    """What a run that replays wrote down."""
    early, late = RunDirectory(path).read_replay()
    return {
        **measurements(path),
        "task_inference": (path / "task_inference.csv").read_bytes(),
        "replay": torch.stack(early + late).tolist(),
    }


def test_inferred_tasks_and_replayed_inputs_are_written_down_too(tiny_replay, carry_out):
    path, summary, _ = carry_out(tiny_replay, "run")
    every_scenario = tiny_replay.learner.method == "hnet-tir"
    steps = [record for record in lines(path) if record["kind"] == "step"]
    assert {"loss", "accuracy", "replay/loss", "replay/regularizer", "replay/reconstruction"} < steps[-1].keys()

    head, *rows = csv.reader((path / "task_inference.csv").open())
    assert head == ["task", "digits 0/1", "digits 2/3", "digits 4/5"]
    counts = np.array([[int(cell) for cell in row[1:]] for row in rows])
    saved = json.loads((path / "summary.json").read_text())
    assert saved == summary.as_dict()
    assert saved["task_inference"] == counts.tolist()
    assert saved["task_inference_accuracy"] == pytest.approx(np.mean(counts.diagonal() / counts.sum(1)))
    assert saved["scenario"] == "class"
    assert saved["scenario_accuracy"].keys() == ({"task", "domain", "class"} if every_scenario else {"class"})
    assert saved["scenario_accuracy"]["class"] == saved["average_accuracy"]
    # To be right among all classes is to be right about the task, and then about the class.
    assert all(
        accuracy <= counts[task, task] / counts[task].sum() for task, accuracy in enumerate(saved["accuracy"][-1])
    )

    learner = (TaskInferenceLearner if every_scenario else ReplayLearner).load(
        path / "learner.safetensors", mlp(64, [16], 2)
    )
    early, late = RunDirectory(path).read_replay()
    assert len(early) == 3
    for task in range(3):
        assert early[task].shape == (10, 1, 8, 8)
        # To rounding only: the run had one thread, and sums depend on their number.
        torch.testing.assert_close(late[task], learner.replay(task, 10))
    assert torch.equal(early[2], late[2])
    assert not torch.equal(early[0], late[0])

    draw_pictures(RunDirectory(path), summary)
    for name in ("accuracy.png", "task_inference.png", "replay.png"):
        assert (path / name).read_bytes().startswith(b"\x89PNG")


def test_replayed_inputs_of_permuted_tasks_are_written_down_with_pixels_in_their_places(carry_out):
    smaller = ["tasks.num_tasks=2", "tasks.padding=1", "network.hidden=[16]", "training.iterations=5"]
    experiment = load("permuted-digits", smaller, "hnet-r")
    path, *_ = carry_out(experiment, "run")
    learner = ReplayLearner.load(path / "learner.safetensors", mlp(100, [16], 10))
    _, (first, second) = RunDirectory(path).read_replay()
    places = build_tasks(experiment)[1].train
    torch.testing.assert_close(first, learner.replay(0, 10))
    torch.testing.assert_close(second, places.as_stored(learner.replay(1, 10)))
    assert not torch.allclose(second, learner.replay(1, 10))


def test_what_is_not_replayed_or_inferred_is_not_written_down(tiny, carry_out):
    evaluation = tiny.evaluation.model_copy(update={"every_scenario": False})
    path, summary, _ = carry_out(tiny.model_copy(update={"evaluation": evaluation}), "run")
    draw_pictures(RunDirectory(path), summary)
    assert not list(path.glob("task_inference.*")) + list(path.glob("replay.*"))
    assert summary.state.averages == {"task": summary.average}
    assert summary.state.inferred is summary.task_inference_accuracy is None


# Steps 1 to 6, evaluation 7, steps 8 to 13, evaluations 14 and 15, …
@pytest.mark.parametrize("calls", [3, 10, 14, 19])
def test_a_stopped_run_with_replay_is_resumed_to_the_same_measurements(tiny_replay, whole_replay, carry_out, calls):
    with pytest.raises(RunStopped):
        carry_out(tiny_replay, "stopped", stop=after(calls))
    path, *_ = carry_out(tiny_replay, "stopped", resume=True)
    assert all_files(path) == all_files(whole_replay)


def test_only_diagonal_and_last_row_if_so_wished(tiny, carry_out):
    evaluation = tiny.evaluation.model_copy(update={"tasks": "diagonal-and-last-row"})
    _, summary, watcher = carry_out(tiny.model_copy(update={"evaluation": evaluation}), "run")
    assert watcher.evaluations == [(0, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert np.isnan(summary.matrix[1, 0])
    assert summary.changes["forgetting"] is not None


def test_a_validation_split_is_measured_too(carry_out):
    experiment = load(
        "permuted-digits",
        ["tasks.num_tasks=1", "tasks.validation=0.1", "network.hidden=[8]", "training.iterations=2", "device=cpu"],
    )
    path, *_ = carry_out(experiment, "run")
    assert {"test_accuracy", "validation_accuracy"} < lines(path)[-1].keys()


# Calls 1 to 20 are the steps of the first task, 21 its evaluation, 22 to 41 the second's steps, 42 and 43 its
# evaluations, …
@pytest.mark.parametrize("calls", [1, 7, 20, 21, 22, 41, 42, 43, 64, 65])
def test_a_stopped_run_is_resumed_to_the_same_measurements(tiny, whole, carry_out, calls):
    with pytest.raises(RunStopped):
        carry_out(tiny, "stopped", stop=after(calls))
    with pytest.raises(RunStopped):
        carry_out(tiny, "stopped", stop=after(1), resume=True)
    path, _, watcher = carry_out(tiny, "stopped", resume=True)
    assert watcher.notes[0].startswith("Resumed after ")
    assert measurements(path) == measurements(whole)


@pytest.fixture(scope="module")
def keeping(tiny):
    """The same, with the learner kept after each task."""
    return tiny.model_copy(update={"recording": tiny.recording.model_copy(update={"keep_learners": True})})


def kept(path):
    return {file.name: fingerprint(file) for file in (path / "learners").iterdir()}


# As above: in the second task, before, amid and after the evaluations that follow it.
@pytest.mark.parametrize("calls", [30, 41, 42, 43, 44])
def test_learners_are_kept_after_each_task_also_by_a_run_that_is_stopped(tiny, keeping, carry_out, calls):
    whole, *_ = carry_out(keeping, "whole")
    with pytest.raises(RunStopped):
        carry_out(keeping, "stopped", stop=after(calls))
    path, *_ = carry_out(keeping, "stopped", resume=True)
    assert kept(path) == kept(whole)
    assert kept(whole).keys() == {f"task-00{number}.safetensors" for number in (1, 2, 3)}
    assert kept(whole)["task-003.safetensors"] == fingerprint(whole / "learner.safetensors")
    for number in (1, 2, 3):
        learner = HypernetworkLearner.load(whole / "learners" / f"task-00{number}.safetensors", mlp(64, [16], 2))
        assert learner.num_tasks == number


def test_a_finished_run_can_be_resumed_without_learning_anything(tiny, carry_out):
    path, summary, _ = carry_out(tiny, "run")
    before = measurements(path)
    _, again, watcher = carry_out(tiny, "run", resume=True)
    assert watcher.steps == []
    assert again.as_dict() == summary.as_dict()
    assert measurements(path) == before


def test_resuming_where_nothing_was_saved_starts_anew(tiny, whole, carry_out):
    path, *_ = carry_out(tiny, "run")
    for file in (path / "checkpoint").iterdir():
        file.unlink()
    _, _, watcher = carry_out(tiny, "run", resume=True)
    assert watcher.notes == ["No checkpoint was written before the run ended; starting from the beginning."]
    assert measurements(path) == measurements(whole)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tiny, whole, carry_out, tmp_path, damage):
    with pytest.raises(RunStopped):
        carry_out(tiny, "run", stop=after(50))
    *_, newest = sorted((tmp_path / "run" / "checkpoint").iterdir())
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes({"flip": content, "cut": content[: len(content) // 2], "empty": b""}[damage])
    path, _, watcher = carry_out(tiny, "run", resume=True)
    assert newest.name in watcher.notes[0]
    assert "damaged" in watcher.notes[0]
    assert "Resumed after 2 of 3 tasks, at step 40." in watcher.notes[1]
    assert measurements(path) == measurements(whole)


def test_measurements_that_were_cut_short_are_not_continued(tiny, carry_out, tmp_path):
    with pytest.raises(RunStopped):
        carry_out(tiny, "run", stop=after(50))
    (tmp_path / "run" / "metrics.jsonl").write_text("")
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl does not begin with the [\d,]+ bytes that it had"):
        carry_out(tiny, "run", resume=True)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_what_was_saved(tiny, carry_out, tmp_path):
    training = tiny.training.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(DivergenceError, match="learning_rate"):
        carry_out(tiny.model_copy(update={"training": training}), "run")
    assert parse((tmp_path / "run" / "config.yaml").read_text())["training"]["learning_rate"] == 1e30
    assert all(np.isfinite(record["loss"]) for record in lines(tmp_path / "run"))


def test_a_full_disk_ends_the_run_with_the_error_and_nothing_is_lost(tiny, whole, carry_out, tmp_path):
    with pytest.raises(RunStopped):
        carry_out(tiny, "run", stop=after(50))
    metrics = tmp_path / "run" / "metrics.jsonl"
    content = metrics.read_bytes()
    for file in (tmp_path / "run" / "checkpoint").iterdir():
        file.unlink()  # so that writing begins at position 0, the only one /dev/full has
    metrics.unlink()
    metrics.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        carry_out(tiny, "run", resume=True)
    metrics.unlink()
    metrics.write_bytes(content)
    path, *_ = carry_out(tiny, "run", resume=True)
    assert measurements(path) == measurements(whole)


def test_a_run_whose_directory_is_deleted_says_what_is_lost(tiny, carry_out, tmp_path):
    def delete() -> bool:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return False

    recording = tiny.recording.model_copy(update={"checkpoint_every": 0})
    with pytest.raises(
        CheckpointError, match=r"run was deleted or moved while the run went on. What was saved in it has"
    ):
        carry_out(tiny.model_copy(update={"recording": recording}), "run", stop=delete)
    assert not (tmp_path / "run").exists()
