"""What a report of a fault needs: versions, devices, threads, data, disks, extras. `python -m hypermnesia.doctor`.

It looks at whatever can be looked at and says of the rest why not. Of names and paths it tells those of the folders of
data alone, with the user's own folder as `~`.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch

from hypermnesia import data, extras
from hypermnesia.data import places
from hypermnesia.errors import HypermnesiaError
from hypermnesia.memory import free_memory, show_bytes
from hypermnesia.training.precision import time_of_halves

Findings: TypeAlias = Mapping[str, Any]
"""Findings by what was looked at: texts, numbers, or findings again."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


def examine(directory: Path | str | None = None) -> dict[str, Any]:
    """Look at the installation and the machine.

    Args:
        directory: Where data are; None for the directory in `HYPERMNESIA_DATA`, or else the cache of downloads. Nothing
            is downloaded.

    Returns:
        JSON values.

    Example:
        >>> examine()["data"]["digits"]
        'whole'
    """
    looks: dict[str, Callable[[], Any]] = {
        "hypermnesia": lambda: extras.version_of("hypermnesia"),
        "python": lambda: f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform,
        "torch": _torch,
        "devices": lambda: dict(_devices()),
        "threads": _threads,
        "memory free": lambda: show_bytes(free_memory()),
        "data": lambda: dict(_data(directory)),
        "disk free": lambda: dict(_disks(directory)),
        "extras": lambda: {name: _extra(name) for name in extras.extras()},
        "packages": lambda: {name: extras.version_of(name) for name in extras.packages_of(None)},
    }
    return {what: _or_why_not(look) for what, look in looks.items()}


def as_text(findings: Findings, indent: str = "") -> str:
    """Findings as plain lines.

    Example:
        >>> print(as_text({"python": "3.11", "threads": {"torch": 2}}))
        python: 3.11
        threads:
          torch: 2
    """
    lines = []
    for name, found in findings.items():
        if isinstance(found, Mapping):
            lines += [f"{indent}{name}:", as_text(found, f"{indent}  ")]
        else:
            lines.append(f"{indent}{name}: {'none' if found is None else found}")
    return "\n".join(lines)


def _or_why_not(look: Callable[[], Any]) -> Any:
    # Whatever is broken is what is looked for: it hides nothing else.
    try:
        return look()
    except Exception as error:
        return _shown(f"cannot be found out ({type(error).__name__}: {error})")


def _torch() -> Findings:
    return {
        "version": torch.__version__,
        "built for CUDA": torch.version.cuda,
        "built for ROCm": torch.version.hip,
        "cuDNN": torch.backends.cudnn.version(),
        "MKL": torch.backends.mkl.is_available(),
    }


def _devices() -> Iterator[tuple[str, str]]:
    halves = ", ".join(f"{name} {times:.2g}" for name, times in time_of_halves().items())
    capability = torch.backends.cpu.get_cpu_capability()
    yield "cpu", f"{os.cpu_count()} cores, {capability}; time of products, float32 being 1: {halves}"
    if torch.backends.mps.is_available():
        yield "mps", platform.machine()
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(number)
        yield (
            f"cuda:{number}",
            f"{torch.cuda.get_device_name(number)}, {show_bytes(free)} of {show_bytes(total)} free",
        )


def _threads() -> Findings:
    given = {name: os.environ[name] for name in _THREADS if name in os.environ}
    return {"torch": torch.get_num_threads(), "torch, between operations": torch.get_num_interop_threads(), **given}


def _data(directory: Path | str | None) -> Iterator[tuple[str, str]]:
    named = places.named(directory)
    yield "folder", _shown(str(named or places.cached(".", None)))
    yield "which is", "named for data" if named else "the cache of downloads"
    for name in data.DATASETS:
        yield name, _or_why_not(functools.partial(_state, name, named))


def _state(name: str, named: Path | None) -> str:
    """Whether a dataset is there and whole."""
    folder = None
    if name not in data.INSTALLED:
        # Read as a folder that was named, the cache is only looked into.
        folder = named or places.cached(name.removesuffix("-coarse"), None)
        if named is None and not folder.exists():
            return "not there; downloaded when it is first used"
    try:
        with warnings.catch_warnings(record=True, action="always") as told:
            data.load(name, folder)
    except HypermnesiaError as error:
        return _shown(f"cannot be used ({str(error).partition('. ')[0]})")
    return "of the same form, but not what was published" if told else "whole"


def _disks(directory: Path | str | None) -> Iterator[tuple[str, str]]:
    looked = {
        "here": Path(),
        "data": places.named(directory) or places.cached(".", None),
        "temporary files": Path(tempfile.gettempdir()),
    }
    for what, folder in looked.items():
        there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), folder)
        yield what, _or_why_not(functools.partial(_room, there))


def _room(folder: Path) -> str:
    return show_bytes(shutil.disk_usage(folder).free) + ("" if os.access(folder, os.W_OK) else ", not writable")


def _extra(name: str) -> str:
    """Whether an extra is installed, and its packages' versions."""
    state = f"lacks {', '.join(lacks)}" if (lacks := extras.missing(name)) else "installed"
    versions = {package: extras.version_of(package) for package in extras.packages_of(name)}
    there = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
    return f"{state} ({there})" if there else state


def _shown(text: str) -> str:
    """A text without the name of the user's own folder, which is often that of the user."""
    return text.replace(str(Path.home()), "~")


if __name__ == "__main__":
    print(as_text(examine()))
