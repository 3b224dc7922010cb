"""The experiment that methods are compared on, and which methods these are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypermnesia.errors import ConfigurationError, did_you_mean, shown
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.benchmark import Benchmark, load_benchmark
from hypermnesia.experiments.settings.config import WITHOUT_INFLUENCE, Experiment
from hypermnesia.learners import METHODS, Method
from hypermnesia.tasks.scenario import Scenario


@dataclasses.dataclass(frozen=True)
class Base:
    """A benchmark with a user's changes, from which the experiments of all methods are made.

    Args:
        benchmark: The benchmark.
        experiment: Experiment of its default method, with the user's changes outside of the learner.
        changes: The user's settings for every method, by place.

    Example:
        >>> base = base_of("split-mnist", {"training.iterations": 10, "scenario": "class"})
        >>> base.experiment_of("ewc").learner.strength
        1000000000.0
    """

    benchmark: Benchmark
    experiment: Experiment
    changes: Mapping[str, Any]

    @property
    def source(self) -> str:
        """Name of the preset, or path of the file."""
        return self.benchmark.source

    @property
    def scenario(self) -> Scenario:
        """Scenario in which methods are compared."""
        return self.experiment.scenario

    @property
    def name(self) -> str:
        """Name of the comparison: that of the experiment, and the scenario where the user has asked for another."""
        own = self.benchmark.experiment().scenario
        return self.experiment.name if self.scenario == own else f"{self.experiment.name}-{self.scenario}"

    @property
    def changed(self) -> tuple[str, ...]:
        """The user's settings that change what is learned, as text, but for the scenario, which is named anyway."""
        return influential({place: value for place, value in self.changes.items() if place != "scenario"})

    def without_learner(self) -> Base:
        """The same without the user's settings of the learner, which not every method has."""
        return dataclasses.replace(self, changes=_outside_learner(self.changes))

    def experiment_of(self, method: str, changes: Mapping[str, Any] | None = None) -> Experiment:
        """The experiment of a method, in the scenario of the comparison.

        Args:
            method: Name of the method.
            changes: Settings by place that go before all others.

        Raises:
            ConfigurationError: The settings cannot be run with the method.
        """
        try:
            changes = {**self.changes, "scenario": self.scenario, **(changes or {})}
            return self.benchmark.experiment(method, changes)
        except ConfigurationError as error:
            hint = (
                "\nA setting of the learner must be one of every method: leave it out, or name methods that have it."
                if any(place.startswith("learner.") for place in self.changes)
                else ""
            )
            raise ConfigurationError(f"{method}: {error}{hint}") from error


def base_of(source: str, changes: Mapping[str, Any] | None = None) -> Base:
    """The experiment to compare methods on.

    Args:
        source: Name of a preset, or path of a YAML file.
        changes: Settings for every method, by place, as `training.iterations`.

    Raises:
        ConfigurationError: There is no such experiment, or a setting is for others to decide.

    Example:
        >>> base_of("split-digits", {"scenario": "domain"}).scenario
        'domain'
    """
    changes = dict(changes or {})
    for place, argument in (("seed", "seeds"), ("learner", "methods"), ("learner.method", "methods")):
        if place in changes:
            raise ConfigurationError(f"{place} differs from run to run: leave it out, and choose {argument}.")
    benchmark = load_benchmark(source)
    # Not every method has the learner's settings of every other.
    return Base(benchmark, benchmark.experiment(changes=_outside_learner(changes)), changes)


def influential(changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Those changes that affect what is learned, as text.

    Example:
        >>> influential({"training.iterations": 10, "device": "cuda"})
        ('training.iterations=10',)
    """
    return tuple(
        f"{place}={sources.inline(value)}"
        for place, value in changes.items()
        if place.split(".")[0] not in WITHOUT_INFLUENCE
    )


def choose(names: Sequence[str], scenario: Scenario) -> list[Method]:
    """The methods of these names; without any, all that answer in the scenario.

    Raises:
        ConfigurationError: There is no such method, or it does not answer in the scenario.

    Example:
        >>> [method.label for method in choose(["hnet", "si"], "class")]
        ['HNET', 'SI']
    """
    for name in names:
        if name not in METHODS:
            raise ConfigurationError(
                f"methods: there is no method {shown(name)}.{did_you_mean(name, METHODS)}"
                f" Methods: {', '.join(METHODS)}."
            )
        if scenario not in METHODS[name].scenarios:
            raise ConfigurationError(f"methods: {METHODS[name].why_not(scenario)}; leave it out.")
    chosen: Iterable[str] = dict.fromkeys(names) or [n for n, method in METHODS.items() if scenario in method.scenarios]
    return [METHODS[name] for name in chosen]


def left_out(scenario: Scenario) -> list[str]:
    """A reason for each method that does not answer in the scenario.

    Example:
        >>> left_out("class")
        ['separate answers only where the scenario is task, not class']
    """
    return [method.why_not(scenario) for method in METHODS.values() if scenario not in method.scenarios]


def _outside_learner(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {place: value for place, value in changes.items() if not place.startswith("learner.")}
