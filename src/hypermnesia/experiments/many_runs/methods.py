"""The methods by the short names people type, and how each gets its experiment from that of a hypernetwork."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypermnesia.errors import ConfigurationError, did_you_mean
from hypermnesia.experiments.many_runs.reproduce import changes
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.config import Experiment, HypernetworkMethod, load
from hypermnesia.tasks.scenario import SCENARIOS, Scenario

_DEEP_GENERATIVE_REPLAY = {
    "method": "replay",
    "replay": {"weight": "equal", "temperature": None, "model": {"kind": "self-replaying-vae"}},
}


@dataclasses.dataclass(frozen=True)
class Method:
    """A method, and the settings that make an experiment one with it.

    Args:
        name: What people type.
        label: What tables and pictures say.
        suffix: Of presets made for it: `P-SUFFIX` has the tasks of the preset `P`.
        learner: The section `learner` where there is no such preset; None takes that of the hypernetwork.
        generated: Whether that section also takes over the settings of the hypernetwork.
        settings: What makes it this method, unless a user says otherwise.
        fixed: What makes it this method, and nobody may change.
        tunable: Whether its section has settings that depend on the tasks.
        scenarios: In which it answers.

    Example:
        >>> METHODS["online-ewc"].label
        'online EWC'
    """

    name: str
    label: str
    suffix: str | None = None
    learner: Mapping[str, Any] | None = None
    generated: bool = False
    settings: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    tunable: bool = True
    scenarios: tuple[Scenario, ...] = SCENARIOS


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("hnet", "HNET"),
        Method("hnet-unprotected", "HNET, β = 0", fixed=("learner.beta=0",)),
        Method("hnet-ewc", "HNET, EWC on Θ_h", learner={"method": "hypernetwork-ewc", "beta": 0}, generated=True),
        Method("hnet-si", "HNET, SI on Θ_h", learner={"method": "hypernetwork-si", "beta": 0}, generated=True),
        Method(
            "hnet-tir",
            "HNET+TIR",
            suffix="task-inference",
            learner={"method": "hypernetwork-task-inference"},
            generated=True,
        ),
        Method("hnet-r", "HNET+R", suffix="replay", learner={"method": "replay"}),
        Method(
            "hnet-likelihood",
            "HNET+likelihood",
            suffix="likelihood",
            learner={"method": "hypernetwork-likelihood"},
            generated=True,
        ),
        Method("fine-tuning", "fine-tuning", learner={"method": "fine-tuning"}, tunable=False),
        Method("joint", "joint", learner={"method": "joint"}, tunable=False),
        Method("from-scratch", "from scratch", learner={"method": "from-scratch"}, tunable=False, scenarios=("task",)),
        Method("ewc", "EWC", suffix="ewc", learner={"method": "ewc"}, fixed=("learner.decay=null",)),
        Method("online-ewc", "online EWC", suffix="ewc", learner={"method": "ewc"}, settings=("learner.decay=1",)),
        Method("si", "SI", suffix="si", learner={"method": "si"}),
        Method("lwf", "LwF", learner={"method": "lwf"}),
        Method(
            "dgr",
            "DGR",
            suffix="dgr",
            learner=_DEEP_GENERATIVE_REPLAY,
            fixed=("learner.replay.temperature=null",),
        ),
        Method(
            "dgr-distill",
            "DGR+distill",
            suffix="dgr",
            learner=_DEEP_GENERATIVE_REPLAY,
            settings=("learner.replay.temperature=2",),
        ),
        Method("er", "ER", learner={"method": "experience-replay"}),
    )
}
"""All of them, in the order in which tables show them unless asked otherwise."""


@dataclasses.dataclass(frozen=True)
class Base:
    """The experiment that methods are compared on: one of a hypernetwork.

    Args:
        source: A preset's name or a YAML file.
        experiment: What it describes, with the user's settings outside the section `learner`.
        overrides: The user's settings, for every method.

    Example:
        >>> base = base_of("split-mnist", ["training.iterations=10", "scenario=class"])
        >>> preset, settings = base.settings(METHODS["ewc"])
        >>> preset
        'split-mnist-ewc'
        >>> settings
        ('scenario=class', 'training.iterations=10', 'scenario=class', 'learner.decay=null')
    """

    source: str
    experiment: Experiment
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the comparison: of the experiment, and the scenario where the user has asked for another."""
        own = sources.read(self.source).get("scenario", "task")
        scenario = self.experiment.scenario
        return self.experiment.name if scenario == own else f"{self.experiment.name}-{scenario}"

    @property
    def changes(self) -> tuple[str, ...]:
        """The user's settings that change what is learned, but for the scenario, which is named anyway."""
        return tuple(text for text in changes(self.overrides) if text.partition("=")[0] != "scenario")

    def without_learner(self) -> Base:
        """The same without the user's settings of the learner, which not every method has."""
        return dataclasses.replace(self, overrides=_outside_learner(self.overrides))

    def preset(self, method: Method) -> str | None:
        """The preset that was made for the method on these tasks, if any."""
        if method.learner is None:
            return self.source
        made = f"{self.source}-{method.suffix}"
        return made if method.suffix and {self.source, made} <= sources.presets().keys() else None

    def settings(self, method: Method) -> tuple[str, tuple[str, ...]]:
        """The preset or file a method is run from, and all settings that differ from it.

        Raises:
            ConfigurationError: A user's setting would make it another method.
        """
        for assignment in self.overrides:
            places = [fixed.partition("=")[0] for fixed in method.fixed]
            if assignment.partition("=")[0] in places:
                raise ConfigurationError(
                    f"'{assignment}': {method.name} is the method with {', '.join(method.fixed)}; "
                    "leave out the setting, or the method."
                )
        preset, made = self.preset(method), []
        if preset is None:
            # The whole section at once, so that nothing of the hypernetwork's is left in it.
            made = [f"learner={json.dumps(self._section(method))}"]
        elif preset != self.source:
            # A preset made for a method may be one for another scenario.
            made = [f"scenario={self.experiment.scenario}"]
        return preset or self.source, (*made, *method.settings, *self.overrides, *method.fixed)

    def _section(self, method: Method) -> dict[str, Any]:
        own = self.experiment.learner.model_dump(mode="json", exclude_unset=True, exclude={"method", "inference"})
        return {**(own if method.generated else {}), **(method.learner or {})}


def base_of(source: str, overrides: Sequence[str] = ()) -> Base:
    """The experiment to compare methods on.

    Args:
        source: A preset's name or a YAML file, whose learner is a hypernetwork.
        overrides: Settings for every method, as `training.iterations=10`.

    Raises:
        ConfigurationError: There is no such experiment, it is one of another method, or a setting is for others to
            decide.

    Example:
        >>> base_of("split-digits", ["scenario=domain"]).experiment.scenario
        'domain'
    """
    for assignment in overrides:
        for place, option in (("seed", "--seeds"), ("learner", "--methods"), ("learner.method", "--methods")):
            if assignment.partition("=")[0] == place:
                raise ConfigurationError(f"'{assignment}': {place} differs from run to run; choose with {option}.")
    # Not every method has the learner's settings of every other.
    experiment = load(source, _outside_learner(overrides))
    if not isinstance(experiment.learner, HypernetworkMethod):
        raise ConfigurationError(
            f"{source} is an experiment of the method {experiment.learner.method}; name one of a hypernetwork, from "
            f"which those of all methods are made.{_root(source)}"
        )
    return Base(source, experiment, tuple(overrides))


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
                f"--methods: there is no method '{name}'.{did_you_mean(name, METHODS)} Methods: {', '.join(METHODS)}."
            )
        if scenario not in METHODS[name].scenarios:
            raise ConfigurationError(f"--methods: {why_not(METHODS[name], scenario)}; leave it out.")
    chosen = dict.fromkeys(names) or {name: None for name in METHODS if scenario in METHODS[name].scenarios}
    return [METHODS[name] for name in chosen]


def left_out(scenario: Scenario) -> list[str]:
    """A reason for each method that does not answer in the scenario.

    Example:
        >>> left_out("class")
        ['from-scratch answers only where the scenario is task, not class']
    """
    return [why_not(method, scenario) for method in METHODS.values() if scenario not in method.scenarios]


def why_not(method: Method, scenario: Scenario) -> str:
    """Why a method does not answer in a scenario, as half a sentence."""
    return f"{method.name} answers only where the scenario is {' or '.join(method.scenarios)}, not {scenario}"


def _outside_learner(overrides: Sequence[str]) -> tuple[str, ...]:
    return tuple(text for text in overrides if not text.startswith("learner."))


def _root(source: str) -> str:
    """A question that names the preset which the tasks of `source` are from, if there is one."""
    roots = [name for name in sources.presets() if source.startswith(f"{name}-")]
    return f" Did you mean '{max(roots, key=len)}'?" if roots else ""
