"""Trials of a search for settings, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from hypermnesia.experiments.many_runs.tune import Trial
from hypermnesia.problems import Metric

_SHOWN = 10


def trial_line(trial: Trial, metric: Metric) -> str:
    """The line for a trial that ended.

    Example:
        >>> from hypermnesia.problems import ACCURACY
        >>> trial_line(Trial(3, {"learner.beta": 0.01}, 0.975, "complete"), ACCURACY)
        'trial 3: validation accuracy 97.50 %, learner.beta=0.01'
    """
    how = trial.state if trial.average is None else f"validation {metric.name} {metric.show(trial.average)}"
    settings = " ".join(f"{place}={value:.4g}" for place, value in trial.settings.items())
    return f"trial {trial.number}: {how}, {settings}"


def print_trials(console: Console, trials: Sequence[Trial], metric: Metric) -> None:
    """Print the best trials, and how many there were.

    Args:
        console: Where to.
        trials: The best first.
        metric: What they were measured by.
    """
    complete = [trial for trial in trials if trial.average is not None]
    table = Table(box=box.SIMPLE)
    table.add_column("trial", justify="right")
    table.add_column(f"validation {metric.name}", justify="right")
    places = list(complete[0].settings) if complete else []
    for place in places:
        table.add_column(place, justify="right")
    for trial in complete[:_SHOWN]:
        figures = [f"{trial.settings[place]:.4g}" for place in places]
        table.add_row(str(trial.number), metric.show(trial.average or 0.0), *figures)
    console.print(table)
    given_up = sum(trial.state == "pruned" for trial in trials)
    console.print(f"{len(complete)} trials, and {given_up} given up early", highlight=False)
