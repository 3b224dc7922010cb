"""Benchmarks: a sequence of tasks, a network and a schedule, with what each method wants different."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypermnesia.errors import ConfigurationError, did_you_mean, shown
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.settings.own_files import with_absolute_paths
from hypermnesia.learners import METHODS
from hypermnesia.settings import checked, without_effect
from hypermnesia.tasks.scenario import SCENARIOS

_NOT_OVERRIDDEN = {
    "learner.method": "which its section is for",
    "name": "which is the benchmark's, for all methods",
    "seed": "which differs from run to run",
    "scenario": "which its section is for",
    "methods": "which a benchmark has once",
    "by_scenario": "which a method has once",
}
"""Settings that a section of settings for a method, or for a scenario, cannot replace, and why."""


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Settings that methods share, and those of each of them.

    A preset is one: its file has settings of an experiment, and a section `methods` with those in which an experiment
    of each method differs. A file with a section `learner` instead is one of a single method.

    Args:
        source: Name of the preset, or path of the file.
        settings: Settings of all methods.
        methods: Settings by method, `by_scenario` among them: by scenario, values by place.

    Example:
        >>> list(load_benchmark("permuted-digits").methods)
        ['hnet']
    """

    source: str
    settings: Mapping[str, Any]
    methods: Mapping[str, Mapping[str, Any]]

    @property
    def default(self) -> str:
        """Name of the method that an experiment has where none is asked for."""
        return next(iter(self.methods), "hnet")

    def experiment(self, method: str | None = None, changes: Mapping[str, Any] | None = None) -> Experiment:
        """The experiment of a method. One without settings of its own has the defaults, or those it is based on.

        Args:
            method: Name of the method; None for the default one.
            changes: Settings that differ, by place, as `training.iterations`. `learner.method` names the method, too.

        Raises:
            ConfigurationError: There is no such method, or anything is no valid setting; one sentence for each.
        """
        changes = with_absolute_paths(changes or {}, Path.cwd())
        section = changes.get("learner")
        in_section = section.get("method") if isinstance(section, Mapping) else None
        named = {str(name) for name in (changes.pop("learner.method", None), in_section, method) if name is not None}
        if len(named) > 1:
            raise ConfigurationError(f"method: {' and '.join(sorted(named))} are named; name one of them.")
        method = next(iter(named), self.default)
        if method not in METHODS:
            raise ConfigurationError(
                f"There is no method {shown(method)}.{did_you_mean(method, METHODS)} Methods: {', '.join(METHODS)}."
            )
        own = self._settings_of(method)
        by_scenario = own.pop("by_scenario", {})
        values = sources.merged(self.settings, own)
        if method != self.default:
            values["name"] = f"{values['name']}-{method}"
        scenario = changes.get("scenario", values.get("scenario", "task"))
        changes = {**by_scenario.get(str(scenario), {}), **changes}
        values = sources.override(values, changes)
        if isinstance(learner := values["learner"], Mapping):
            values["learner"] = {"method": method, **learner}
        values = sources.without(values, _left_behind(values, changes))
        return checked(Experiment, values, f"{self.source} cannot be run.")

    def tunes(self, method: str) -> bool:
        """Whether a method's settings were chosen for these tasks, if only with what it is based on, or it has none."""
        own, base = METHODS[method], METHODS.get(METHODS[method].based_on or "")
        fields = own.learner.Settings.model_fields.keys()
        shared = base is not None and base.name in self.methods and fields <= base.learner.Settings.model_fields.keys()
        return method in self.methods or shared or not own.tunable

    def _settings_of(self, name: str) -> dict[str, Any]:
        method, base = METHODS[name], self.methods.get(METHODS[name].based_on or "")
        own = self.methods.get(name)
        if own is not None:
            return {**own, "learner": sources.merged(method.settings, own.get("learner", {}))}
        if base is None:
            return {"learner": dict(method.settings)}
        known = method.learner.Settings.model_fields
        shared = {key: value for key, value in base.get("learner", {}).items() if key in known}
        values = sources.merged(shared, method.settings)
        return {**base, "learner": sources.without(values, without_effect(method.learner.Settings, values))}


def load_benchmark(source: str) -> Benchmark:
    """The benchmark in a preset or in a file.

    Args:
        source: Name of a preset, or path of a YAML file.

    Raises:
        ConfigurationError: There is none, or it is not well-formed.
    """
    settings = with_absolute_paths(sources.read_settings(source), Path(source).parent.absolute())
    if "methods" in settings and "learner" in settings:
        raise ConfigurationError(f"{source}: give either methods, with settings of each, or a learner.")
    if "learner" in settings:
        learner = settings.pop("learner")
        if not isinstance(learner, dict) or "method" not in learner:
            raise ConfigurationError(
                f"{source} cannot be run.\nlearner.method: missing. Methods: {', '.join(METHODS)}."
            )
        own = {"learner": {key: value for key, value in learner.items() if key != "method"}}
        if "by_scenario" in settings:
            own["by_scenario"] = settings.pop("by_scenario")
        settings["methods"] = {str(learner["method"]): own}
    methods = settings.pop("methods", None)
    if not isinstance(methods, dict) or not methods:
        raise ConfigurationError(
            f"{source} needs a learner, as in 'learner: {{method: hnet}}', or methods, as in 'methods: {{hnet: {{}}}}'."
        )
    methods = {name: own or {} for name, own in methods.items()}
    for name, own in methods.items():
        _check(source, name, own)
    return Benchmark(source, settings, methods)


def load_experiment(source: str, changes: Mapping[str, Any] | None = None, method: str | None = None) -> Experiment:
    """The experiment that a preset or a file describes.

    Args:
        source: Name of a preset, or path of a YAML file.
        changes: Settings that differ, by place, as `learner.beta`.
        method: Name of the method; None for the default one.

    Raises:
        ConfigurationError: Anything that is no valid experiment, one sentence for each thing wrong.

    Example:
        >>> load_experiment("split-mnist", {"training.iterations": 500}, method="si").training.iterations
        500
    """
    return load_benchmark(source).experiment(method, changes)


def _left_behind(values: Mapping[str, Any], changes: Mapping[str, Any]) -> list[str]:
    """Places of settings that were for what a change has replaced: with `training.optimizer`, its `training.betas`."""
    changed = sources.flatten(changes)
    idle = without_effect(Experiment, values)
    return [place for place, others in idle.items() if place not in changed and others & changed.keys()]


def _check(source: str, method: Any, own: Any) -> None:
    if method not in METHODS:
        raise ConfigurationError(
            f"{source}: there is no method {shown(method)}.{did_you_mean(str(method), METHODS)}"
            f" Methods: {', '.join(METHODS)}."
        )
    if not isinstance(own, dict) or not isinstance(own.get("learner", {}), dict):
        raise ConfigurationError(f"{source}: methods.{method} must hold settings, as '{{learner: {{}}}}' does.")
    by_scenario = own.get("by_scenario", {})
    if not isinstance(by_scenario, dict) or not all(isinstance(values, dict) for values in by_scenario.values()):
        raise ConfigurationError(
            f"{source}: by_scenario must hold settings for scenarios, as 'task: {{learner.strength: 100}}' does."
        )
    if strangers := [name for name in by_scenario if name not in SCENARIOS]:
        raise ConfigurationError(
            f"{source}: by_scenario knows {', '.join(SCENARIOS)}, not '{strangers[0]}'."
            f"{did_you_mean(str(strangers[0]), SCENARIOS)}"
        )
    sections = {f"methods.{method}": {key: value for key, value in own.items() if key != "by_scenario"}}
    sections |= {f"by_scenario.{scenario}": values for scenario, values in by_scenario.items()}
    for section, values in sections.items():
        # A section of settings may be written as such, or by places.
        for place in {each: None for key in sources.flatten(values) for each in (key, key.partition(".")[0])}:
            if (why_not := _NOT_OVERRIDDEN.get(place)) and (place != "scenario" or section.startswith("by_")):
                raise ConfigurationError(f"{source}: {section} cannot set {place}, {why_not}: leave it out.")
