"""Environment of a run: threads, versions and device."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy
import torch

from hypermnesia import parallel


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, device, command and source code of this process."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "hypermnesia": metadata.version("hypermnesia"),
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "numba": _version("numba"),  # with which large readouts learn by other sums, equal to rounding
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "ranks": parallel.size(),
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "cuda": torch.version.cuda,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit of the source code, with `+` if it was changed since; None for an installed package."""
    here = Path(__file__)
    if _git(here.parent, "ls-files", here.name) != here.name:
        return None
    changed = _git(here.parents[1], "status", "--porcelain", "--untracked-files=no", ".")
    return f"{_git(here.parent, 'rev-parse', 'HEAD')}{'+' if changed else ''}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """While it lasts, torch uses so many threads of the CPU; None leaves it as it is.

    Example:
        >>> with threads(1):
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
