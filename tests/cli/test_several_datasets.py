"""A sequence of several datasets on the command line, of made-up data: learned, resumed, reported, and noted."""

import json

import pytest

from hypermnesia.data.cifar import CIFAR_10, CIFAR_100
from tests.cifar_files import write_cifar

SETTINGS = [
    *("split-digits", "data=null", "network.hidden=[8]", "learner.chunk_size=3000", "training.iterations=2"),
    "tasks={kind: parts, parts: [{data: cifar-10, classes_per_task: 10}, {data: cifar-100, num_tasks: 1}]}",
]


@pytest.fixture
def directory(tmp_path):
    for published in (CIFAR_10, CIFAR_100):
        write_cifar(tmp_path / "data", published, 200)
    return tmp_path / "data"


def test_notes_are_lines_on_stderr_each_told_once_whatever_else_is_wanted(call, directory, tmp_path):
    code, out, errors = call(
        "run",
        *SETTINGS,
        "--data",
        directory,
        "--out",
        tmp_path / "run",
        "--quiet",
        "--json",
        "--device",
        "cpu",
    )
    assert code == 0, errors
    assert json.loads(out)["tasks"] == ["cifar-10 airplane/…/truck", "cifar-100 apple/aquarium_fish"]
    notes = errors.splitlines()
    assert len(notes) == 2 and all(note.startswith("Note: ") for note in notes)
    assert "not the published cifar-10, but 1,000 training and 200 test images" in notes[0]
    code, _, errors = call("run", "--resume", "--out", tmp_path / "run", "--data", directory)
    assert code == 0, errors
    code, _, errors = call("report", tmp_path / "run")
    assert code == 0, errors


def test_a_class_left_without_examples_is_noted(call, directory, tmp_path):
    code, _, errors = call(
        "run", *SETTINGS, "tasks.examples=1", "--data", directory, "--out", tmp_path / "run", "--device", "cpu"
    )
    assert code == 0, errors
    assert "Note: Task 'cifar-100 apple/aquarium_fish': 1 training examples leave 1 of its 2 classes" in errors


def test_damaged_data_end_a_run_before_it_begins(call, directory, tmp_path):
    with (directory / "cifar-100-binary" / "train.bin").open("ab") as file:
        file.write(b"!")
    code, out, errors = call("run", *SETTINGS, "--data", directory, "--out", tmp_path / "run", "--device", "cpu")
    assert (code, out) == (2, "")
    assert "train.bin: 614,801 bytes are no whole number of records" in errors
    assert "Traceback" not in errors and not (tmp_path / "run").exists()


@pytest.mark.slow
def test_notes_of_runs_of_a_comparison_are_told_once(call, directory, tmp_path):
    file = tmp_path / "two.yaml"
    code, out, _ = call("show", *SETTINGS)
    assert code == 0
    file.write_text(out)
    code, _, errors = call(
        "compare", file, "device=cpu", "--methods", "hnet,joint", "--data", directory, "--out", tmp_path / "c"
    )
    assert code == 0, errors
    assert [line.count("not the published") for line in errors.splitlines()] == [1, 1]
