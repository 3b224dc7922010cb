import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hypermnesia.experiments.recorded_runs.recorded import find, read_run
from hypermnesia.experiments.single_run.rundir import RunDirectory
from tests.runs import ENVIRONMENT, triangle, write_run


def test_a_finished_run_is_read_back(tmp_path):
    path = write_run(tmp_path / "run", "seed=3", inferred=np.eye(3, dtype=int).tolist(), replayed=(8, 8))
    run = read_run(path)
    assert run.problems == ()
    assert (run.finished, run.learned, run.seed, run.progress) == (True, 3, 3, "finished")
    np.testing.assert_array_equal(run.matrix, triangle(3))
    assert run.tasks == ("digits 0/1", "digits 2/3", "digits 4/5")
    assert run.settings["training"]["iterations"] == run.experiment.training.iterations
    assert [step["step"] for step in run.steps] == list(range(1, 30))
    assert run.steps[1] == {"step": 2, "loss": 0.5, "accuracy": 0.75, "task_loss": 0.45}
    np.testing.assert_array_equal(run.inferred, np.eye(3))
    early, late = run.replay
    assert (len(early), early[0].shape) == (3, (3, 8, 8))
    np.testing.assert_allclose(late[0], 1 - early[0])
    assert [timing.learning_seconds for timing in run.timing] == [2.5] * 3


def test_a_real_run_is_read_back(whole):
    run = read_run(whole)
    summary = json.loads((whole / "summary.json").read_text())
    assert run.problems == ()
    expected = np.array(summary["accuracy"], dtype=np.float64)
    np.testing.assert_array_equal(run.matrix, expected)
    assert run.steps
    assert sum(timing.iterations for timing in run.timing) == summary["iterations"]


@pytest.mark.parametrize(("learned", "progress"), [(0, "learning the first task"), (2, "not finished: 2 of 3 tasks")])
def test_an_unfinished_run_is_read_as_far_as_it_is(tmp_path, learned, progress):
    path = write_run(tmp_path / "run", learned=learned)
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')  # being written
    run = read_run(path)
    assert run.problems == ()
    assert (run.finished, run.learned, run.progress) == (False, learned, progress)
    assert run.matrix.shape == ((learned, 3) if learned else (0, 0))


DAMAGED = {
    "accuracy.csv": [
        "",
        "after,a\na,nonsense\n",
        "after,a,b\na,0.5\n",
        "after,a\na,1.5\n",
        "after,a,b\na,,\nb,0.5,0.5\n",
    ],
    "task_inference.csv": ["task,a,b\na,1,2\n", "task,a\na,-1\n", "task,a\na,x\n"],
    "metrics.jsonl": [
        "{\n{\n",
        '{"step": 1}\n',
        "[]\n",
        '{"kind": "step", "step": 1, "loss": NaN}\n',
        '{"kind": "step", "step": 1, "loss": "high"}\n',
    ],
    "timing.csv": [
        "task,iterations\na,1\n",
        "task,iterations,learning_seconds,evaluation_seconds\na,x,1,1\n",
        "task,iterations,learning_seconds,evaluation_seconds\na,1,nan,1\n",
    ],
    "summary.json": [
        *("{", "[]", '{"memory_bytes": ["much"]}', '{"memory_bytes": 3}', '{"scenario_accuracy": [1]}'),
        *('{"compression": "much"}', '{"compression": 1e999}'),
    ],
    "environment.json": ["", "{}", "[1]"],
    "replay.safetensors": ["nonsense"],
    "config.yaml": ["a: [", "- 1\n", "learner: {method: hnett}\n"],
}


@pytest.mark.parametrize(("name", "content"), [(name, content) for name in DAMAGED for content in DAMAGED[name]])
def test_what_is_damaged_is_told_in_a_sentence_and_the_rest_is_read(tmp_path, name, content):
    path = write_run(tmp_path / "run", inferred=np.eye(3, dtype=int).tolist(), replayed=(8, 8))
    (path / name).write_text(content)
    run = read_run(path)
    assert len(run.problems) == 1
    assert str(path / name) in run.problems[0]
    assert "\n" not in run.problems[0]
    assert run.problems[0].endswith(".")
    if name != "accuracy.csv":
        assert run.learned == 3
    if name != "metrics.jsonl":
        assert len(run.steps) == 29


@pytest.mark.parametrize("name", ["accuracy.csv", "timing.csv", "metrics.jsonl", "environment.json"])
def test_what_is_missing_of_a_finished_run_is_told(tmp_path, name):
    path = write_run(tmp_path / "run")
    (path / name).unlink()
    (problem,) = read_run(path).problems
    assert problem == f"{path / name} is missing; it is done without."


def test_accuracies_of_a_finished_run_that_were_cut_short_are_not_taken_for_all(tmp_path):
    path = write_run(tmp_path / "run")
    lines = (path / "accuracy.csv").read_text().splitlines()
    (path / "accuracy.csv").write_text("\n".join(lines[:2]) + "\n")
    run = read_run(path)
    assert run.learned == 0
    assert "the accuracy after the last task is not there" in run.problems[0]


def test_settings_of_another_version_are_told_and_kept(tmp_path):
    path = write_run(tmp_path / "run")
    config = path / "config.yaml"
    config.write_text(config.read_text() + "flux_capacitor: 3\n")
    run = read_run(path)
    assert run.experiment is None
    assert run.settings["flux_capacitor"] == 3
    assert "of another version: flux_capacitor: unknown setting." in run.problems[0]


def test_runs_are_found_once_in_and_below_directories(tmp_path):
    for name in ("b-seed0", "a-seed1"):
        write_run(tmp_path / "many" / name)
    (tmp_path / "many" / "note.txt").touch()
    (tmp_path / "many" / ".a.new").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    paths = [tmp_path / "many", tmp_path / "many" / "a-seed1", *(tmp_path / name for name in ("empty", "file", "no"))]
    runs, problems = find(paths)
    assert [run.path.name for run in runs] == ["a-seed1", "b-seed0"]
    assert problems == [
        f"{tmp_path / 'empty'} is no run directory, nor does it hold one: there is no config.yaml.",
        f"{tmp_path / 'file'} is no directory.",
        f"{tmp_path / 'no'} does not exist.",
    ]


def test_replay_of_several_shapes_is_damaged(tmp_path):
    path = write_run(tmp_path / "run")
    RunDirectory(path).write_replay([torch.ones(3, 8, 8)], [torch.ones(3, 9, 9)])
    run = read_run(path)
    assert run.replay is None
    assert "must hold as many inputs, of one shape" in run.problems[0]


def test_a_directory_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    assert find([tmp_path]) == ([], [f"{tmp_path} cannot be read: Permission denied."])


def test_what_was_measured_while_learning_need_not_be_read(tmp_path):
    path = write_run(tmp_path / "run", replayed=(8, 8))
    (path / "metrics.jsonl").write_text("{\n{\n")
    run = read_run(path, history=False)
    assert (run.problems, run.steps, run.replay) == ((), [], None)
    assert run.learned == 3


def test_runs_of_another_format_are_left_out_with_a_sentence(tmp_path):
    for name in ("new", "old"):
        write_run(tmp_path / name)
    (tmp_path / "old" / "environment.json").write_text(json.dumps([ENVIRONMENT]))
    runs, (problem,) = find([tmp_path])
    assert [run.path.name for run in runs] == ["new"]
    assert problem.startswith(f"{tmp_path / 'old'} was made by another version of hypermnesia (format 1, here ")
    assert problem.endswith("It is left out.")
