import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hypermnesia import doctor, extras
from tests.cifar_files import write_cifar


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A user without data, whose name is no one's business."""
    home = tmp_path / "somebody"
    home.mkdir()
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    for name in ("HYPERMNESIA_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return home


def test_it_tells_versions_devices_threads_data_disks_and_extras(home):
    found = json.loads(json.dumps(doctor.examine()))
    assert found["packages"]["numpy"] and found["torch"]["version"] and found["devices"]["cpu"]
    assert found["extras"]["cli"].startswith("installed (altair ")
    assert found["data"]["digits"] == "whole"
    assert found["data"]["mnist"] == "not there; downloaded when it is first used"
    assert set(found["disk free"]) == {"here", "data", "temporary files"}
    assert not [value for value in found.values() if "cannot be found out" in str(value)]


def test_it_tells_nobody_s_name_and_no_secret(home, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a-secret")
    folder = home / "pictures"
    folder.mkdir()
    for directory in (None, folder):
        text = doctor.as_text(doctor.examine(directory))
        assert "~" in text
        assert "somebody" not in text and "a-secret" not in text


def test_data_are_there_and_whole_or_it_says_what_is_wrong(home, monkeypatch):
    folder = home / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(b"no images")
    write_cifar(home)
    monkeypatch.setenv("HYPERMNESIA_DATA", str(home))
    states = doctor.examine()["data"]
    assert states["which is"] == "named for data"
    assert states["mnist"].startswith("cannot be used (~/mnist/train-images-idx3-ubyte: ")
    assert states["cifar-10"] == "of the same form, but not what was published"
    assert states["fashion-mnist"].startswith("cannot be used (~: train-images-idx3-ubyte is not there")


def test_a_missing_extra_is_named(home, monkeypatch):
    known = extras.version_of
    monkeypatch.setattr(extras, "version_of", lambda name: None if name in ("onnx", "numba") else known(name))
    found = doctor.examine()["extras"]
    assert found["onnx"].startswith("lacks onnx (onnxscript ") and found["fast"] == "lacks numba"


def test_what_cannot_be_found_out_hides_nothing_else(home, monkeypatch):
    def broken():
        raise RuntimeError("the driver is too old")

    monkeypatch.setattr(doctor, "_torch", broken)
    found = doctor.examine()
    assert found["torch"] == "cannot be found out (RuntimeError: the driver is too old)"
    assert found["data"]["digits"] == "whole"


def refuse(*arguments, **options):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("method", ["exists", "is_dir", "stat"])
def test_folders_that_cannot_be_read_are_no_end(home, monkeypatch, method):
    (home / "mnist").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(Path, method, refuse)
        found = doctor.examine(home)
    assert found["hypermnesia"] == extras.version_of("hypermnesia")
    assert "whole" not in (found["data"]["mnist"] if isinstance(found["data"], dict) else found["data"])


@pytest.mark.slow
def test_the_library_alone_tells_it_too(home):
    told = subprocess.run(
        [sys.executable, "-m", "hypermnesia.doctor"], capture_output=True, text=True, env=dict(os.environ)
    )
    assert told.returncode == 0, told.stderr
    assert "  digits: whole" in told.stdout.splitlines()
