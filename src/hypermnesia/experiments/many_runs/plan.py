"""Runs that are to be carried out, and what became of them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Literal

from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun
from hypermnesia.experiments.settings.config import Experiment


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run that is to be carried out, and what is wanted of it.

    Args:
        group: Name of all runs that differ in the seed only.
        experiment: What to run; its seed tells it from others of its group.
        scenarios: Scenarios in which its average is wanted.

    Example:
        >>> from hypermnesia.experiments.settings.benchmark import load_experiment
        >>> PlannedRun("ewc", load_experiment("split-mnist", {"seed": 3}, method="ewc"), ("class",)).name
        'ewc-seed3'
    """

    group: str
    experiment: Experiment
    scenarios: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of its directory."""
        return f"{self.group}-seed{self.experiment.seed}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """End of a run.

    Args:
        run: The planned run.
        state: `reused` was finished before; `interrupted` can be continued.
        seconds: Time it took.
        recorded: What it found; None unless it is finished.
        message: What went wrong.
    """

    run: PlannedRun
    state: Literal["finished", "reused", "failed", "interrupted"]
    seconds: float = 0.0
    recorded: RecordedRun | None = None
    message: str = ""

    @property
    def averages(self) -> dict[str, float]:
        """Final average accuracy in [0, 1] (or error) in each scenario asked for; empty unless finished."""
        found = self.recorded.averages if self.recorded else {}
        return {scenario: found[scenario] for scenario in self.run.scenarios if scenario in found}


def over_seeds(runs: Sequence[PlannedRun], seeds: int) -> list[PlannedRun]:
    """Each run with each seed from 0 on, seed by seed."""
    return [
        dataclasses.replace(run, experiment=run.experiment.model_copy(update={"seed": seed}))
        for seed in range(seeds)
        for run in runs
    ]


def grouped(name: str, outcomes: Sequence[Outcome]) -> Group:
    """The finished runs of a group, by seed."""
    found = [each.recorded for each in outcomes if each.run.group == name and each.recorded is not None]
    return Group(name, tuple(sorted(found, key=lambda run: run.seed or 0)))


def threads(experiment: Experiment) -> int:
    """Threads of each of many processes: those of the experiment, or of the environment of whoever plans, or one.

    They depend neither on the machine nor on how many runs go on at a time, because the last digits of sums depend on
    them.

    Example:
        >>> from hypermnesia.experiments.settings.benchmark import load_experiment
        >>> threads(load_experiment("split-digits", {"threads": 3}))
        3
    """
    environment = os.environ.get("OMP_NUM_THREADS", "")
    return experiment.threads or (int(environment) if environment.isdecimal() else 0) or 1
