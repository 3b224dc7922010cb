"""Many runs on a terminal: a line for each that starts or ends, what failed, and the trials of a search."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun
from hypermnesia.experiments.many_runs.tune import Trial
from hypermnesia.problems import Metric

_SHOWN = 10


def started(run: PlannedRun) -> str:
    """Line for a run that starts."""
    return f"{run.name}: started"


def ended(outcome: Outcome) -> str:
    """The line for a run that ended: its averages, and how long it took."""
    took = f" in {datetime.timedelta(seconds=round(outcome.seconds))}" if outcome.seconds else ""
    show = outcome.run.experiment.problem.metric.show
    found = "".join(f", {scenario} {show(value)}" for scenario, value in outcome.averages.items())
    return f"{outcome.run.name}: {outcome.state}{took}{found}"


def failures(outcomes: Sequence[Outcome]) -> str:
    """Text with the number of failed runs and the reason of each; empty if none failed."""
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if not failed:
        return ""
    reasons = [f"{outcome.run.name}:\n{textwrap.indent(outcome.message, '  ')}\n" for outcome in failed]
    return "".join([f"{len(failed)} of {len(outcomes)} runs failed; the table holds the others.\n", *reasons])


def trial_line(trial: Trial, metric: Metric) -> str:
    """Line for a trial that ended.

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
        console: Console to print on.
        trials: Trials, the best first.
        metric: Metric that they are ranked by.
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
