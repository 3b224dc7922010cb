"""Files and code of one's own that settings name: where paths begin, and whose code is run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypermnesia.data import OWN_DATA, ArraysData, FolderData, IdxData
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.settings.task_settings import with_kind
from hypermnesia.networks import NetworkSettings, PythonNetworkSettings
from hypermnesia.tasks import PythonData

_PATHS = {name for kind in OWN_DATA for name in kind.paths}


def with_absolute_paths(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Settings in which no path depends on where they stand or where one is.

    Args:
        settings: Settings of an experiment, nested or by place, as in `data.path`.
        folder: Where their paths begin.

    Example:
        >>> with_absolute_paths({"data": {"kind": "folder", "path": "pictures"}}, Path("/home/me"))["data"]["path"]
        '/home/me/pictures'
    """
    result = dict(settings)
    for name in _PATHS:
        if isinstance(path := result.get(f"data.{name}"), str):
            result[f"data.{name}"] = _absolute(path, folder)
    if "data" in result:
        result["data"] = _data(result["data"], folder)
    if isinstance(further := result.get("further"), list):
        result["further"] = [
            {**each, "data": _data(each["data"], folder)} if isinstance(each, Mapping) and "data" in each else each
            for each in further
        ]
    return result


def _data(section: Any, folder: Path) -> Any:
    if not isinstance(section, Mapping):
        return section
    paths = {name: _absolute(section[name], folder) for name in _PATHS if isinstance(section.get(name), str)}
    return with_kind({**section, **paths})


def _absolute(path: str, folder: Path) -> str:
    return os.path.abspath(folder / Path(path).expanduser()) if path else path  # noqa: PTH100 - links stay as they are


def named_outside(experiment: Experiment, *, data: bool = True) -> list[str]:
    """Name the code, and the files of one's own, that an experiment names.

    Args:
        experiment: Any experiment.
        data: Whether its data count, too.
    """
    network: NetworkSettings = experiment.network
    named = [f"network.call={network.call}"] if isinstance(network, PythonNetworkSettings) else []
    for source in experiment.sources if data else ():
        if isinstance(source, PythonData):
            named.append(f"data.call={source.call}")
        elif isinstance(source, FolderData | ArraysData | IdxData):
            named.append(f"data.path={source.path}")
    return named


def check_trusted(experiment: Experiment, directory: Path, *, trust: bool, data: bool = True) -> None:
    """Refuse code and files outside of a run directory that its settings name, unless the user trusts them.

    A run directory may come from anybody. Its own files are read as what they are; what it names is somebody's program.

    Args:
        experiment: Settings that were read from the directory.
        directory: The run directory.
        trust: Whether the user says so.
        data: Whether its data are needed, too.

    Raises:
        ConfigurationError: It names some.
    """
    if (named := named_outside(experiment, data=data)) and not trust:
        raise ConfigurationError(
            f"{directory} names code or files outside of it: {', '.join(named)}. Nothing of it is run or read only"
            " because a run directory says so: add --trust if you made this directory, or trust who did."
        )
