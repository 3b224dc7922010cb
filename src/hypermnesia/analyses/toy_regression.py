"""Functions of one variable learned one after another: what each method remembers of them, as curves to look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation import statistics
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.many_runs.methods import METHODS, Base, Method, base_of
from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun, check
from hypermnesia.experiments.settings.build import build_tasks, load_learner
from hypermnesia.experiments.settings.config import PolynomialTasks, load
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.tasks import Polynomial, Scenario

PRESET = "toy-regression"
PUBLISHED = (0.0042, 0.0024, 0.0061)
"""Mean squared errors of the hypernetwork after the last of the preset's tasks.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, and the authors' code."""

# Where the standard network has one head, nobody says which function is asked: the inputs do.
COMPARED: dict[str, Scenario] = {
    "hnet": "task",
    "hnet-likelihood": "domain",
    "from-scratch": "task",
    "joint": "domain",
    "ewc": "domain",
    "fine-tuning": "domain",
}
_POINTS = 61


@dataclasses.dataclass(frozen=True)
class Curve:
    """A function where it is asked.

    Attributes:
        x: Points in its interval.
        y: Its values there.
    """

    x: list[float]
    y: list[float]


@dataclasses.dataclass(frozen=True)
class Remembered:
    """What a method has left of the functions after the last one.

    Attributes:
        method: Which.
        scenario: `task` where it is told which function is asked.
        errors: Mean squared error on each function, one row for each finished seed.
        curves: What it answers, of the first finished seed; empty if there is none.
    """

    method: Method
    scenario: Scenario
    errors: tuple[tuple[float, ...], ...]
    curves: tuple[Curve, ...]

    @property
    def error_of_each(self) -> list[Spread | None]:
        """On each function, over seeds."""
        return [statistics.spread(list(column)) for column in zip(*self.errors, strict=True)]

    @property
    def average(self) -> Spread | None:
        """Over functions."""
        return statistics.spread([sum(row) / len(row) for row in self.errors])


@dataclasses.dataclass(frozen=True)
class ToyRegression:
    """Methods side by side.

    Attributes:
        base: What was learned.
        seeds: How many runs of each method were asked for.
        functions: As they are.
        remembered: Of each method.
    """

    base: Base
    seeds: int
    functions: tuple[Curve, ...]
    remembered: tuple[Remembered, ...]

    @property
    def published(self) -> tuple[float, ...] | None:
        """Errors that were published for the hypernetwork in this setting; None in any other."""
        return PUBLISHED if self.base.source == PRESET and not self.base.changes else None


def plan(base: Base, seeds: int = 1) -> list[PlannedRun]:
    """The runs that it takes, seed by seed.

    Args:
        base: An experiment with functions to learn.
        seeds: How many; they count from 0.

    Raises:
        ConfigurationError: Its tasks are others, or settings cannot be run with one of the methods.

    Example:
        >>> [run.name for run in plan(base_of("toy-regression"))][:2]
        ['hnet-seed0', 'hnet-likelihood-seed0']
    """
    if not isinstance(base.experiment.tasks, PolynomialTasks):
        raise ConfigurationError(f"{base.source} has no functions to learn (tasks.kind=polynomials), as {PRESET} has.")
    if any(text.partition("=")[0] == "scenario" for text in base.overrides):
        raise ConfigurationError("scenario differs from method to method here; leave it out.")
    runs = [
        PlannedRun(name, *_in_scenario(base, scenario).settings(METHODS[name]), (scenario,), seed, ("error",))
        for seed in range(seeds)
        for name, scenario in COMPARED.items()
    ]
    check(runs)
    return runs


def collect(base: Base, outcomes: Sequence[Outcome], directory: Path, seeds: int = 1) -> ToyRegression:
    """What the runs found; those that did not finish are passed over.

    Args:
        base: That the runs were planned from.
        outcomes: Of the runs.
        directory: Below which theirs are.
        seeds: How many were asked for.

    Raises:
        CheckpointError: A learner is missing or damaged.
    """
    functions = _functions(base)
    points = [torch.linspace(function.low, function.high, _POINTS)[:, None] for function in functions]
    true = tuple(_curve(x, function(x)) for x, function in zip(points, functions, strict=True))
    found = []
    for name, scenario in COMPARED.items():
        finished = [outcome for outcome in outcomes if outcome.run.group == name and outcome.summary]
        errors = tuple(tuple(outcome.summary["error"][-1]) for outcome in finished)
        curves = _answers(finished[0], directory, points) if finished else ()
        found.append(Remembered(METHODS[name], scenario, errors, curves))
    return ToyRegression(base, seeds, true, tuple(found))


def _in_scenario(base: Base, scenario: Scenario) -> Base:
    return base_of(base.source, [*base.overrides, f"scenario={scenario}"])


def _functions(base: Base) -> list[Polynomial]:
    tasks = base.experiment.tasks
    assert isinstance(tasks, PolynomialTasks)
    return [Polynomial(**function.model_dump()) for function in tasks.functions]


def _answers(outcome: Outcome, directory: Path, points: Sequence[torch.Tensor]) -> tuple[Curve, ...]:
    run = outcome.run
    experiment = load(run.preset, [*run.settings, f"seed={run.seed}"])
    path = RunDirectory(directory / run.name).learner
    learner = load_learner(experiment, build_tasks(experiment), path)
    told = experiment.scenario == "task"
    return tuple(
        _curve(x, learner.predict(x, number if told else None).values.cpu()) for number, x in enumerate(points)
    )


def _curve(x: torch.Tensor, y: torch.Tensor) -> Curve:
    return Curve(x[:, 0].tolist(), y[:, 0].tolist())
