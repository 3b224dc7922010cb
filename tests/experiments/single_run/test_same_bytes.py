"""Runs of one experiment write the same bytes, but for times: whole directories are compared, of separate processes."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.cli.conftest import TINY, start  # noqa: F401 - a fixture

TIMES = {"timing.csv", "environment.json", "config.yaml", ".lock"}


def content(run: Path) -> dict[str, str]:
    """A checksum of every file but checkpoints, whose state has times, and those that are made of times."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in TIMES]
    found = {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.parent.name not in ("checkpoint", "tensorboard")
    }
    summary = json.loads((run / "summary.json").read_text())
    apart = {key: value for key, value in summary.items() if "seconds" not in key and key != "directory"}
    return {**found, "summary.json": json.dumps(apart)}  # in its order


@pytest.mark.slow
@pytest.mark.parametrize("method", ["hnet", "ewc", "hnet-r", "hnet-likelihood", "er"])
def test_two_processes_write_the_same_directory(start, tmp_path, method):  # noqa: F811
    small = [argument for argument in TINY if "chunk_size" not in argument or method == "hnet"]
    arguments = ["run", *small, "training.iterations=5", "--method", method, "--quiet", "--out"]
    for name in ("one", "two"):
        process = start(*arguments, tmp_path / name)
        assert process.wait(timeout=300) == 0, process.stderr.read()
    assert content(tmp_path / "one") == content(tmp_path / "two")
