"""Watching the files of runs for changes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hypermnesia.experiments.recorded_runs.recorded import directories

_SECONDS = 1.0
# Large, written often, and nothing that is shown.
_PASSED_OVER = {"checkpoint", "tensorboard", "wandb"}

State = dict[str, tuple[int, int]]


def state(paths: Sequence[Path]) -> State:
    """Time of the last change and size of each file of the runs in these directories."""
    found: State = {}
    for path in paths:
        with contextlib.suppress(OSError):  # gone in the meantime, or not ours to read
            for directory in directories(path):
                for folder, names, files in os.walk(directory):
                    names[:] = [name for name in names if name not in _PASSED_OVER]
                    found |= _files(folder, files)
    return found


def wait_for_change(paths: Sequence[Path], before: State, stop: Callable[[], bool]) -> State:
    """Wait until a file differs from `before` or `stop` returns true; returns the state then."""
    while (now := state(paths)) == before and not stop():
        time.sleep(_SECONDS)
    return now


def _files(folder: str, names: Sequence[str]) -> State:
    found: State = {}
    for name in names:
        path = Path(folder) / name
        with contextlib.suppress(OSError):
            status = path.stat()
            found[str(path)] = (status.st_mtime_ns, status.st_size)
    return found
