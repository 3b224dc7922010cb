"""The command line on one's own things: data of every kind, networks and tasks that code makes, one more task."""

import csv
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.numpy import save_file

from hypermnesia.experiments.recorded_runs.recorded import read_run
from hypermnesia.experiments.settings.build import build_tasks
from hypermnesia.experiments.single_run.rundir import RunDirectory
from tests.pictures import write_idx, write_pictures, write_table

pytestmark = pytest.mark.usefixtures("unchecked")

SMALL = {
    "network": {"kind": "mlp", "hidden": [12]},
    "learner": {"method": "hnet", "chunk_size": 200},
    "training": {"iterations": 5},
    "device": "cpu",
}
CODE = """
import torch
from torch import nn
import hypermnesia as hm

def make_tasks(number):
    some = torch.linspace(0, 1, 20 * 3 * 64).view(20, 3, 8, 8), torch.arange(20) % 2
    return [hm.Task.of(some, test=some, name=f"own {n}", classes=("no", "yes")) for n in range(number)]

def make_network(shape, classes, width):
    first = nn.Linear(shape[0] * shape[1] * shape[2], width)
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), nn.Linear(width, classes))
"""
KINDS = {
    "folder": {
        "data": {"kind": "folder", "path": "pictures"},
        "tasks": {"kind": "listed", "classes": [["ant", "bee"], ["cat", "dog", "elk"]], "validation": 0.2},
    },
    "arrays": {
        "data": {"kind": "arrays", "path": "flowers.csv", "labels": "species", "tasks": "site", "leave_out": ["id"]},
        "tasks": {"kind": "given", "validation": 0.2},
    },
    "npz": {
        "data": {"kind": "arrays", "path": "some.npz"},
        "tasks": {"kind": "split", "classes_per_task": None, "num_tasks": 2, "validation": 0.2},
    },
    "idx": {
        "data": {"kind": "idx", "path": "kana", "name": "kmnist"},
        "tasks": {"kind": "split", "classes_per_task": 2, "validation": 0.2},
    },
    "python": {
        "data": {"kind": "python", "call": "my_code:make_tasks", "arguments": {"number": 2}},
        "tasks": {"kind": "given", "validation": 0.2},
        "network": {
            "kind": "python",
            "call": "my_code:make_network",
            "arguments": {"width": 6},
            "outputs_as": "classes",
            "input_shape_as": "shape",
        },
    },
}


def write(kind: str, name: str = "mine.yaml", **changes: object) -> None:
    """A file of settings, and the data and the code that they name, in the current directory."""
    Path(name).write_text(yaml.safe_dump({**SMALL, **KINDS[kind], **changes}))
    Path("my_code.py").write_text(CODE)
    if not Path("pictures").exists():
        write_pictures(Path("pictures"), ["ant", "bee", "cat", "dog", "elk"])
        write_table(Path("flowers.csv"), ["rose", "lily", "iris", "poppy"])
        labels = np.arange(40) % 5
        np.savez("some.npz", inputs=np.eye(5, dtype=np.float32)[labels] + 0.1, labels=labels)
        write_idx(Path("kana"), "", ("train", "t10k"), [number % 4 for number in range(40)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_ones_own_goes_on_only_with_the_same_data_and_what_is_trusted(kind, call):
    write(kind)
    code, out, err = call("run", "mine.yaml", "--out", "run", "--quiet")
    assert code == 0, err
    assert read_run(Path("run")).finished
    code, _, err = call("run", "--resume", "--out", "run", "--quiet")
    assert (code, "add --trust" in err) == (2, True)
    assert call("run", "--resume", "--out", "run", "--quiet", "--trust")[1].endswith(out)
    code, _, err = call("report", "run", "-o", "report.html")
    assert code == 0, err


def test_paths_begin_where_the_settings_are_and_on_the_command_line_where_one_is(call, tmp_path, monkeypatch):
    write("folder")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, out, err = call("show", "../mine.yaml")
    assert code == 0, err
    assert yaml.safe_load(out)["data"]["path"] == str(tmp_path / "pictures")
    code, out, err = call("show", "../mine.yaml", "data.path=other", "data.test=../test")
    found = yaml.safe_load(out)["data"]
    assert (found["path"], found["test"]) == (str(tmp_path / "elsewhere" / "other"), str(tmp_path / "test"))
    code, out, err = call("show", "split-digits", "data.kind=folder", "data.path=some", "data.size=8")
    assert yaml.safe_load(out)["data"]["path"] == str(tmp_path / "elsewhere" / "some")


def test_a_finished_run_learns_one_more_task_and_knows_it(call, tmp_path):
    write("folder")
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    write_pictures(Path("birds"), ["finch", "gull"], size=10, first=5)
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file() and path.name != ".lock"}
    code, _, err = call("learn", "run", "--data", "birds", "--quiet")
    assert (code, "add --trust" in err, Path("run-and-birds").exists()) == (2, True, False)
    code, _, err = call("learn", "run", "--data", "birds", "--quiet", "--trust")
    assert code == 0, err
    assert {path: path.read_bytes() for path in before} == before
    found, old = read_run(Path("run-and-birds")), read_run(Path("run"))
    assert found.finished
    assert not found.problems
    assert found.tasks == (*old.tasks, "birds")
    np.testing.assert_array_equal(found.matrix[:2, :2], old.matrix)
    code, out, _ = call("predict", "run-and-birds", "birds/gull/00.png", "--task", "birds", "--json")
    (answer,) = json.loads(out)
    assert (answer["task"], answer["class"] in ("finch", "gull")) == (2, True)
    assert call("export", "run-and-birds", "--task", "birds", "--out", "birds.pt2")[0] == 0
    assert torch.export.load("birds.pt2").module()(torch.rand(3, 3, 8, 8)).shape == (3, 3)
    # The same command goes on with what there is; and a further task comes after that.
    assert call("learn", "run", "--data", "birds", "--quiet", "--trust")[0] == 0
    write_pictures(Path("fish"), ["eel"], first=2)
    code, _, err = call(
        "learn", "run-and-birds", "data.test=0.5", "--data", "fish", "--out", "all", "--quiet", "--trust"
    )
    assert code == 0, err
    assert read_run(Path("all")).tasks[2:] == ("birds", "fish")
    # A task of more classes than the network has outputs leaves nothing behind.
    write_pictures(Path("many"), list("abcd"))
    code, _, err = call("learn", "run", "--data", "many", "--quiet", "--trust")
    assert (code, "3 outputs" in err, Path("run-and-many").exists()) == (2, True, False)


LAPS = """
import sys
from hypermnesia import cli
from hypermnesia.experiments.single_run.stopwatch import Stopwatch
lap = Stopwatch.lap
def lap_and_tell(watch):
    print("imported before:", "torch._dynamo" in sys.modules)
    return lap(watch)
Stopwatch.lap = lap_and_tell
cli.main(sys.argv[1:])
"""


@pytest.mark.slow
def test_time_of_learning_does_not_include_what_pytorch_imports_as_it_begins(call, start):
    write("folder")
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    write_pictures(Path("birds"), ["finch", "gull"], first=5)
    process = start("learn", "run", "--data", "birds", "--quiet", "--trust", code=LAPS)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "imported before: True" in out and "imported before: False" not in out


def test_a_task_is_chosen_by_its_name_before_its_number(call):
    """Years, for example, are names of tasks."""
    lines = [f"{'102'[value % 3]},{value},{value % 2}" for value in range(60)]
    Path("years.csv").write_text("\n".join(["year,x,label", *lines]))
    Path("x.csv").write_text("1\n2\n")
    columns = {"kind": "arrays", "path": "years.csv", "labels": "label", "tasks": "year", "test": 0.2}
    write("arrays", data=columns, tasks={"kind": "given"}, learner={"method": "ewc"})
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    names = read_run(Path("run")).tasks
    assert sorted(names) == ["0", "1", "2"] and names != ("0", "1", "2")
    for name in names:
        code, out, err = call("predict", "run", "x.csv", "--task", name, "--json")
        assert (code, json.loads(out)[0]["task"]) == (0, names.index(name)), err


def test_examples_that_have_changed_are_not_gone_on_with(call):
    write("folder")
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    Image.new("RGB", (8, 8)).save("pictures/cat/00.png")
    code, _, err = call("run", "mine.yaml", "--resume", "--out", "run", "--quiet")
    assert (code, "the examples of 'pictures cat/dog/elk' are no longer those" in err) == (2, True)
    code, _, err = call("learn", "run", "--data", "pictures", "--out", "more", "--quiet", "--trust")
    assert (code, "the examples of 'pictures cat/dog/elk' are no longer those" in err) == (2, True)
    assert err.endswith("Bring the files back to what they were.\n")
    assert not Path("more").exists()
    assert call("run", "mine.yaml", "--overwrite", "--out", "run", "--quiet")[0] == 0


def without_last_line(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[:-1])


def test_finished_runs_of_other_data_are_not_set_beside_those_of_today(call):
    write("arrays")
    run = ("run", "mine.yaml", "--method", "fine-tuning", "scenario=task", "--quiet")
    assert call(*run, "--out", "compared/fine-tuning-seed0")[0] == 0
    before = {path: path.read_bytes() for path in Path("compared").rglob("*") if path.is_file()}
    Path("flowers.csv").write_text(without_last_line(Path("flowers.csv").read_text()))
    compare = ("compare", "mine.yaml", "scenario=task", "--out", "compared", "--methods")
    code, out, err = call(*compare, "fine-tuning,joint")
    assert (code, out, "are no longer those that the run was begun with" in err) == (2, "", True)
    assert "remove compared/fine-tuning-seed0, or choose another directory" in err
    assert {path: path.read_bytes() for path in before} == before
    assert not Path("compared/joint-seed0").exists()
    Path("flowers.csv").unlink()  # as where they lie on the machines of a cluster
    code, out, err = call(*compare, "fine-tuning")
    assert (code, "fine-tuning-seed0: reused" in out, "is not known: " in err) == (0, True, True)


def test_a_search_does_not_go_on_with_other_data(call):
    write("arrays")
    tune = ("tune", "mine.yaml", "--only", "learner.beta", "--out", "tuned")
    assert call(*tune, "--trials", 1)[0] == 0
    assert call(*tune, "--trials", 2)[0] == 0
    Path("flowers.csv").write_text(without_last_line(Path("flowers.csv").read_text()))
    code, out, err = call(*tune, "--trials", 3)
    assert (code, "trial" in out) == (2, False)
    assert "tuned holds the search on other examples" in err


def test_code_that_a_run_directory_names_is_run_only_if_the_user_says_so(call, tmp_path):
    write("python")
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    np.save("some.npy", np.zeros((2, 3, 8, 8), np.float32))
    config = RunDirectory(Path("run")).config
    config.write_text(config.read_text().replace("my_code:make_network", "sent_by_somebody:run"))
    Path("sent_by_somebody.py").write_text("open('was-run', 'w')\ndef run(**more): raise ValueError('really')\n")
    for command in (
        ("predict", "run", "some.npy"),
        ("export", "run", "--out", "net.pt2"),
        ("analyze", "weights", "run"),
        ("learn", "run", "--data", "pictures"),
        ("run", "--resume", "--out", "run"),
    ):
        code, _, err = call(*command)
        assert (code, "sent_by_somebody:run" in err, "--trust" in err) == (2, True, True), err
    assert not Path("was-run").exists()
    code, _, err = call("predict", "run", "some.npy", "--trust")
    assert (code, "really" in err, Path("was-run").exists()) == (2, True, True)


def test_a_table_is_answered_with_or_without_the_names_of_its_columns(call):
    write("arrays")
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    lines = Path("flowers.csv").read_text().splitlines()
    Path("bare.csv").write_text("\n".join(",".join(line.split(",")[1:3]) for line in lines[1:]))
    code, out, err = call("predict", "run", "flowers.csv", "bare.csv", "--task", "north")
    assert code == 0, err
    answers = [row["class"] for row in csv.DictReader(io.StringIO(out))]
    assert len(answers) == 120
    assert answers[:60] == answers[60:]
    assert set(answers) <= {"rose", "lily"}


def test_columns_of_a_table_are_known_by_their_names(call):
    write("arrays")
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    lines = [line.split(",")[1:3] for line in Path("flowers.csv").read_text().splitlines()]
    save_table("turned.csv", [line[::-1] for line in lines])
    save_table("bare.csv", lines[1:])
    Path("flowers.csv").unlink()  # the run knows the names
    code, out, err = call("predict", "run", "turned.csv", "bare.csv", "--task", "north")
    assert code == 0, err
    answers = [list(row.values())[1:] for row in csv.DictReader(io.StringIO(out))]
    assert answers[:60] == answers[60:]
    wrong = {
        "other.csv": ([["length", "weight"], *lines[1:]], "has no column 'width'. It has length, weight"),
        "more.csv": ([[*line, "1"] for line in lines[1:]], r"\[60, 3\], .* shape \[2\] were learned: .*2 columns"),
        "named.csv": ([[*lines[0], "age"], *([*line, "1"] for line in lines[1:])], "has age beside length, width"),
        "twice.csv": ([["length", "length"], *lines[1:]], "must name every column, and each once"),
        "huge.csv": ([["1", "2"], ["1e300", "2"]], "huge.csv: input 2, counted from 1, .*too large for float32"),
    }
    for name, (rows, message) in wrong.items():
        save_table(name, rows)
        code, out, err = call("predict", "run", name, "--task", 0)
        assert (code, out) == (2, "")
        assert re.search(message, " ".join(err.split())), err
    RunDirectory(Path("run")).columns.write_text("[1]")
    assert "columns.json is damaged" in call("predict", "run", "turned.csv")[2]


def test_names_of_columns_may_be_numbers(call):
    write("arrays", data={"kind": "arrays", "path": "numbers.csv", "labels": "9"}, tasks={"kind": "split"})
    rows = [[str(place % 4), str(-place % 4), str(place % 4)] for place in range(40)]
    save_table("numbers.csv", [["0", "1", "9"], *rows])
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    save_table("some.csv", [["1", "0"], ["3", "4"]])
    code, out, err = call("predict", "run", "some.csv", "--task", 0, "--json")
    assert (code, len(json.loads(out))) == (0, 1), err


def test_a_further_table_may_have_its_columns_in_another_order(call):
    write("arrays")
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    rows = [["width", "site", "species", "id", "length"]]
    rows += [[str(place % 2), "west", "tulip" if place % 2 else "aster", "0", "7"] for place in range(20)]
    save_table("more.csv", rows)
    code, _, err = call("learn", "run", "--data", "more.csv", "--quiet", "--trust")
    assert code == 0, err
    *_, task = build_tasks(RunDirectory(Path("run-and-more")).read_experiment())
    inputs, labels = next(task.train.in_order(100))
    assert set(inputs[:, 0].tolist()) == {7}
    assert inputs[:, 1].tolist() == labels.tolist()
    assert RunDirectory(Path("run-and-more")).read_columns() == ["length", "width"]
    save_table("more.csv", [["size", *rows[0][1:]], *rows[1:]])
    code, _, err = call("learn", "run", "--data", "more.csv", "--out", "other", "--quiet", "--trust")
    assert (code, "more.csv has no column 'width'" in err, Path("other").exists()) == (2, True, False)


def save_table(name: str, rows: list[list[str]]) -> None:
    Path(name).write_text("\n".join(map(",".join, rows)))


def test_arrays_are_answered_from_files_like_those_that_were_learned(call):
    write("npz")
    assert call("run", "mine.yaml", "--out", "run", "--quiet")[0] == 0
    inputs = np.load("some.npz")["inputs"]
    np.save("some.npy", inputs)
    np.savez("alone.npz", inputs)  # a single array needs no name
    save_file({"inputs": inputs, "more": inputs[0]}, "some.safetensors")
    files = ("some.npy", "some.npz", "alone.npz", "some.safetensors")
    code, out, err = call("predict", "run", *files, "--task", 0)
    assert code == 0, err
    answers = [list(row.values())[1:] for row in csv.DictReader(io.StringIO(out))]
    assert len(answers) == 4 * len(inputs)
    assert all(answers[place] == answers[place % len(inputs)] for place in range(len(answers)))
    np.savez("other.npz", input=inputs, labels=inputs)
    Path("broken.npz").write_bytes(b"no archive")
    np.savez("words.npz", inputs=np.array([["a"] * 5]))
    np.save("nan.npy", np.where(np.arange(len(inputs))[:, None] == 3, np.nan, inputs))
    np.save("swapped.npy", inputs.astype(">f4"))
    Path("pickled.npy").write_bytes(b"no array")
    os.mkfifo("pipe.npy")
    assert call("predict", "run", "swapped.npy", "--task", 0)[0] == 0
    code, _, err = call("predict", "run", "some.npy", "--task", "9" * 5000)
    assert (code, "there is no task" in err, len(err) < 400) == (2, True, True)
    for file, message in {
        "other.npz": r"other.npz has no array 'inputs'. Did you mean 'input'\?",
        "broken.npz": "broken.npz is damaged",
        "words.npz": "inputs must be an array of numbers",
        "nan.npy": "nan.npy: input 4, counted from 1, has entries that are no finite numbers",
        "pickled.npy": r"pickled.npy holds no inputs \(it is no array of numbers\)",
        "pipe.npy": "there is no file pipe.npy",
        "x" * 300: "File name too long; choose another path",
    }.items():
        code, out, err = call("predict", "run", file, "--task", 0)
        assert (code, out) == (2, "")
        assert re.search(message, err), err


WRONG = {
    "data.path=nowhere": "There is no .*nowhere",
    "data.kind=given": "data.kind: 'given' is not allowed",
    "data.test=0": "data.test",
    "tasks.classes=[[ant, be]]": "task 0 lists a class 'be', .*Did you mean 'bee'",
    "tasks={kind: given}": "tasks.kind=given takes tasks as the data say them",
    "data={kind: python, call: nothing}": "data.call: must name a module and a function",
    "data.path=pipe": "is a pipe or a device, and should be a folder",
    "data.path=loop": "There is no .*loop, which should be a folder .* It is a link that leads nowhere",
    "data={kind: arrays, path: single.npz}": "inputs must be an array of numbers, .* not a single one",
    "data={kind: arrays, path: wide.csv}": "has no column 'labels'. It has x{40}…, y",
    "network={kind: python, call: 'sys:exit'}": "sys:exit fails with SystemExit",
    "network={kind: python, call: 'long_story:f'}": "cannot be imported: ValueError: x x x x",
    "data=null": "tasks.kind=listed needs data",
    "network={kind: python, call: 'torch.nn:Flaten'}": "Did you mean 'Flatten'",
    "network={kind: python, call: 'torch.nn:Flatten', arguments: {a: 1}}": "TypeError",
    "network={kind: python, call: 'math:hypot'}": "made a float; it must make a torch.nn.Module",
    "tasks.classes=[[ant], [bee]] scenario=class": "'pictures ant', which has a single class",
    "--data pictures": "the settings say where the data are",
}


@pytest.mark.parametrize("settings", WRONG)
def test_what_is_wrong_is_said_and_leaves_nothing_behind(settings, call):
    write("folder")
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    np.savez("single.npz", inputs=np.float32(3), labels=np.zeros(3, int))
    Path("wide.csv").write_text("x" * 100_000 + ",y\n1,2\n")
    Path("long_story.py").write_text("raise ValueError('x\\n' * 1000)")
    arguments = [settings] if "{" in settings or "[[ant, be]]" in settings else settings.replace("], [", "],[").split()
    code, _, err = call("run", "mine.yaml", *arguments, "--out", "run", "--quiet")
    assert code == 2
    assert re.search(WRONG[settings], err), err
    assert len(err) < 1200 and len(err.splitlines()) < 8
    assert not Path("run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_compare_tune_and_report_work_on_ones_own(kind, call):
    write(kind, learner={"method": "hnet"})
    code, _, err = call("compare", "mine.yaml", "--methods", "hnet,fine-tuning", "--out", "compared")
    assert code == 0, err
    code, _, err = call("tune", "mine.yaml", "--trials", "2", "--only", "learner.beta", "--out", "tuned")
    assert code == 0, err
    assert call("run", "tuned/tuned.yaml", "--out", "tuned-run", "--quiet")[0] == 0
    code, _, err = call("report", "compared", "tuned-run", "-o", "report.html")
    assert code == 0, err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_a_network_of_timm_learns_answers_and_leaves_by_command(call):
    sizes = {"layers": [1, 1, 1, 1], "channels": [4, 4, 4, 4], "stem_width": 4}
    network = {
        "kind": "python",
        "call": "timm:create_model",
        "arguments": {"model_name": "resnet18", "in_chans": 3, **sizes},
        "outputs_as": "num_classes",
    }
    write("folder", network=network, learner={"method": "hnet"})
    code, _, err = call("run", "mine.yaml", "--out", "run", "--quiet")
    assert code == 0, err
    code, out, err = call("predict", "run", "pictures/ant/00.png", "--task", 0, "--trust")
    assert code == 0, err
    assert next(csv.DictReader(io.StringIO(out)))["class"] in ("ant", "bee")
    code, _, err = call("export", "run", "--task", 1, "--out", "net.pt2", "--trust")
    assert code == 0, err
    assert torch.export.load("net.pt2").module()(torch.rand(2, 3, 8, 8)).shape == (2, 3)
    wrong = {**network, "arguments": {"model_name": "resnet18x"}}
    write("folder", "wrong.yaml", network=wrong)
    code, _, err = call("run", "wrong.yaml", "--out", "wrong", "--quiet")
    assert (code, "resnet18x" in err, Path("wrong").exists()) == (2, True, False), err
