"""In which settings a run is not what the preset of its name says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.settings.config import APART_FROM_SETTINGS
from hypermnesia.experiments.settings.sources import flatten


def deviations(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of a run that its preset has otherwise, by their full names.

    Left out are the scenario, and what does not change what is learned. Nothing deviates where there is no such preset.

    Args:
        settings: All of a run's, by their full names.

    Example:
        >>> deviations({"name": "split-digits-si", "learner.method": "si", "training.iterations": 5, "seed": 3})
        {'training.iterations': 5}
    """
    name, method = str(settings.get("name")), str(settings.get("learner.method"))
    if name.endswith((".yaml", ".yml")):
        return {}
    try:
        scenario = {"scenario": settings.get("scenario", "task")}
        experiment = load_experiment(name.removesuffix(f"-{method}"), scenario, method)
    except ConfigurationError:
        return {}
    preset = flatten(experiment.model_dump(mode="json"))
    passed_over = APART_FROM_SETTINGS | {"scenario"}
    return {
        key: value
        for key, value in settings.items()
        if key.split(".")[0] not in passed_over and preset.get(key) != value
    }
