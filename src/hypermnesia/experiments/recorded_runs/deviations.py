"""In which settings a run is not what the preset of its name says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.config import APART_FROM_SETTINGS, load
from hypermnesia.experiments.settings.sources import flatten


def deviations(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of a run that its preset has otherwise, by their full names.

    Left out are the scenario, and what does not change what is learned. Nothing deviates where there is no such preset.

    Args:
        settings: All of a run's, by their full names.

    Example:
        >>> deviations({"name": "split-digits", "training.iterations": 5, "seed": 3})
        {'training.iterations': 5}
    """
    name, scenario = str(settings.get("name")), settings.get("scenario", "task")
    if name.endswith((".yaml", ".yml")):
        return {}
    try:
        preset = flatten(load(name, [f"scenario={scenario}"]).model_dump(mode="json"))
    except ConfigurationError:
        return {}
    passed_over = APART_FROM_SETTINGS | {"scenario"}
    return {
        key: value
        for key, value in settings.items()
        if key.split(".")[0] not in passed_over and preset.get(key) != value
    }
