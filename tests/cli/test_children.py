"""Processes that a command has started end with it, however it ends, and what they did not finish is taken up."""

import signal
import time
from pathlib import Path

import pytest

from tests.cli.conftest import TINY

pytestmark = pytest.mark.slow


def searchers(folder: Path) -> list[str]:
    """Numbers of the processes that make trials of the search in this directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if b"--join" in words and str(folder).encode() in words:
            found.append(process.name)
    return found


def wait(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_a_search_leaves_no_process_behind_and_goes_on_later(start, call, tmp_path, how):
    folder = tmp_path / "search"
    settings = [*TINY[:-2], "device=cpu", "training.iterations=20", "--out", folder]
    process = start("tune", *settings, "--trials", "1000", "--jobs", "2")
    wait(lambda: len(searchers(folder)) == 2 and (folder / "study.db").exists())
    process.send_signal(how)
    process.communicate()
    wait(lambda: not searchers(folder))
    code, out, err = call("tune", *settings, "--trials", "1")
    assert (code, err) == (0, "")
    assert "the best settings are in" in out
