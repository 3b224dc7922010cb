"""Runs of one experiment write the same bytes, but for times: whole directories are compared, of separate processes."""

import pytest

from tests.cli.conftest import TINY, start  # noqa: F401 - a fixture
from tests.directories import content


@pytest.mark.slow
@pytest.mark.parametrize("method", ["hnet", "ewc", "hnet-r", "hnet-likelihood", "er"])
def test_two_processes_write_the_same_directory(start, tmp_path, method):  # noqa: F811
    small = [argument for argument in TINY if "chunk_size" not in argument or method == "hnet"]
    arguments = ["run", *small, "training.iterations=5", "--method", method, "--quiet", "--out"]
    for name in ("one", "two"):
        process = start(*arguments, tmp_path / name)
        assert process.wait(timeout=300) == 0, process.stderr.read()
    assert content(tmp_path / "one") == content(tmp_path / "two")
