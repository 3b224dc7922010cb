"""A method: a learner with the settings that make it what its name says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hypermnesia.learners.base import ContinualLearner
from hypermnesia.tasks.scenario import SCENARIOS, Scenario


@dataclasses.dataclass(frozen=True, eq=False)
class Method:
    """Continual learning method, as experiments, comparisons and tables name it.

    Args:
        name: Name on the command line, in presets, tables and run directories.
        label: Name in tables and charts.
        learner: Class of the learner.
        settings: Default settings that differ from those of the learner, in sections as in a configuration file.
        fixed: Settings that make the method what it is, by their place below `learner`: the values each may have.
        based_on: Method whose settings it shares, where a benchmark has none for it.
        scenarios: Scenarios in which it answers.
    """

    name: str
    label: str
    learner: type[ContinualLearner]
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fixed: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    based_on: str | None = None
    scenarios: tuple[Scenario, ...] = SCENARIOS

    @property
    def tunable(self) -> bool:
        """Whether it has settings that depend on the tasks."""
        return bool(self.learner.Settings.model_fields)

    def why_not(self, scenario: Scenario) -> str:
        """Reason why it does not answer in a scenario, as half a sentence."""
        return f"{self.name} answers only where the scenario is {' or '.join(self.scenarios)}, not {scenario}"
