"""A finished run's learner in use: answers for files, and files for other programs."""

import csv
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import hypermnesia as hm
from hypermnesia import cli
from hypermnesia.experiments.recorded_runs.learned import open_learner
from tests.cli.conftest import TINY

RUNS = {
    "hnet": ["training.iterations=60"],
    "ewc": ["training.iterations=60", "--method", "ewc", "scenario=class"],
}
pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory) -> Path:
    """Directory of a finished run of each kind."""
    directory = tmp_path_factory.mktemp("run") / request.param
    arguments = [each for each in TINY if request.param == "hnet" or not each.startswith("learner.")]
    before = Path.cwd()
    os.chdir(directory.parent)
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main(["run", *arguments, *RUNS[request.param], "--quiet", "--out", str(directory)])
    finally:
        os.chdir(before)
    assert not caught.value.code
    return directory


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    task = hm.tasks.split("digits", classes_per_task=2, num_tasks=2)[1]
    inputs, _ = next(task.test.in_order(6))
    return inputs


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_pictures_arrays_and_tables_are_answered_alike(run, images, call, tmp_path):
    np.save(tmp_path / "some.npy", images.numpy())
    np.savetxt(tmp_path / "some.csv", images.flatten(1).numpy(), delimiter=",", fmt="%.9g")
    pixels = (images * 255).round().to(torch.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{number}.png")
    learner = open_learner(run)
    code, printed, _ = call("predict", run, "some.npy", "some.csv", "--task", 1)
    found = rows(printed)
    labels = learner.predict(images, 1).labels.tolist()
    assert code == 0
    assert [row["file"] for row in found] == ["some.npy"] * 6 + ["some.csv"] * 6
    assert [int(row["label"]) for row in found] == labels * 2
    assert [row["class"] for row in found] == learner.predict(images, 1).names * 2
    code, printed, _ = call("predict", run, *(f"{number}.png" for number in range(6)), "--task", "digits 2/3")
    assert [int(row["label"]) for row in rows(printed)] == learner.predict(pixels, 1).labels.tolist()


@pytest.mark.parametrize("shape", [(2, 128), (4, 1, 4, 16), (1, 4, 16, 16), (64, 4), (64,), (1, 8, 8, 8)])
def test_numbers_of_another_shape_are_not_divided_into_inputs(run, shape, call):
    np.save("some.npy", np.zeros(shape, np.float32))
    np.savez("some.npz", np.zeros(shape, np.float32))
    for file in ("some.npy", "some.npz"):
        code, out, err = call("predict", run, file, "--task", 0)
        assert (code, out) == (2, "")
        assert re.search(rf"{file} holds numbers of shape \{list(shape)}, .*give \[n, 1, 8, 8\] or \[n, 64\]", err), err
    np.savetxt("some.csv", np.zeros((4, 65)), delimiter=",")
    code, out, err = call("predict", run, "some.csv", "--task", 0)
    assert (code, out, "64 columns" in err) == (2, "", True)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "uint64", "int16", "int64", ">i4"])
def test_gray_levels_are_answered_alike_from_every_file_and_type(run, images, kind, call):
    pixels = (images * 255).round().numpy()
    np.save("some.npy", pixels.astype(kind))
    np.savez("some.npz", pixels.astype(kind))
    np.save("flat.npy", pixels.reshape(6, 64).astype(kind))
    np.save("bare.npy", pixels[:, 0].astype(kind))
    code, out, err = call("predict", run, "some.npy", "some.npz", "flat.npy", "bare.npy", "--task", 1)
    assert code == 0, err
    wanted = open_learner(run).predict(images, 1).labels.tolist()
    assert [int(row["label"]) for row in rows(out)] == wanted * 4


def test_the_task_is_inferred_where_nobody_says_it(run, images, call, tmp_path):
    np.save(tmp_path / "some.npy", images.numpy())
    code, printed, _ = call("predict", run, "some.npy", "--out", "answers.csv")
    assert (code, printed) == (0, "written to answers.csv\n")
    answer = open_learner(run).predict(images)
    found = rows((tmp_path / "answers.csv").read_text())
    assert [int(row["task"]) for row in found] == answer.task.tolist()
    assert [float(row["certainty of the task"]) for row in found] == pytest.approx(answer.certainty.tolist())


def test_a_tasks_network_is_exported(run, images, call, tmp_path):
    assert call("export", run, "--task", 1, "--out", "network.pt2")[:2] == (0, "written to network.pt2\n")
    right = open_learner(run).predict(images, 1).outputs
    torch.testing.assert_close(torch.export.load(tmp_path / "network.pt2").module()(images), right)
    assert call("export", run, "--out", "all.pt2")[0] == 0
    found = torch.export.load(tmp_path / "all.pt2").module()(images, torch.tensor(1))
    torch.testing.assert_close(found, right)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["predict", "RUN", "nothing.npy"], 2, "there is no file nothing.npy"),
        (["predict", "RUN", "text.csv"], 2, "text.csv holds no inputs"),
        (["predict", "RUN", "text.png"], 2, "text.png is no picture"),
        (["predict", "RUN", "short.npy"], 2, r"of shape \[7\], but inputs of shape \[1, 8, 8\] were learned"),
        (["predict", "RUN", "objects.npy"], 2, "objects.npy holds no inputs"),
        (["predict", "RUN", "good.npy", "--task", "5"], 2, "there is no task 5"),
        (["predict", ".", "good.npy"], 2, "not a run directory"),
        (["export", "RUN", "--out", "network"], 2, "says no format"),
        (["export", "RUN", "--out", "no/network.pt2"], 2, "does not exist; make it first"),
        (["export", "RUN", "--task", "digits 2/4", "--out", "network.pt2"], 2, "Did you mean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_answered_or_written_is_said(run, arguments, code, message, call, tmp_path):
    for name in ("text.csv", "text.png"):
        (tmp_path / name).write_text("no numbers")
    np.save(tmp_path / "short.npy", np.zeros(7))
    np.save(tmp_path / "good.npy", np.zeros((2, 1, 8, 8), np.float32))
    np.save(tmp_path / "objects.npy", np.array([{}, None]), allow_pickle=True)
    found, printed, error = call(*(run if each == "RUN" else each for each in arguments))
    assert found == code
    assert printed == ""
    assert re.search(message, error)
