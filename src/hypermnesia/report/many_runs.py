"""Many runs on a terminal: a line for each that starts or ends, what failed, and the trials of a search."""

from __future__ import annotations

import datetime
import textwrap
import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn
from rich.table import Column, Table

from hypermnesia.criteria import Metric
from hypermnesia.evaluation.bars import Bars, Words
from hypermnesia.evaluation.progress import share_before, share_done
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun
from hypermnesia.experiments.many_runs.search import Trial

_SHOWN = 10


class RunsDisplay:
    """Display of many runs while they are carried out: lines, and on a terminal a bar for all and for each at work.

    A failed one is told at once, with its last lines. Where there is no terminal, a line now and then says which runs
    are at work, how far they are and about how long it takes still.

    Args:
        console: Console to print on.
        total: Number of runs.
    """

    _LINE_SECONDS = 30.0

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total = console, total
        self._bars = Bars(
            Words("{task.description}", console),
            BarColumn(bar_width=None),
            TaskProgressColumn(table_column=Column(no_wrap=True)),
            Words("{task.fields[note]}", console, spared=True),
            console=console,
        )
        self._all = self._bars.add_task("all runs", total=total, note="")
        self._at_work: dict[str, TaskID] = {}
        self._shares: dict[str, float] = {}
        self._before: dict[str, float] = {}  # shares of runs that were done when these were resumed
        self._where: dict[str, str] = {}
        self._ended = self._reused = 0
        self._begin = self._told = time.monotonic()

    def __enter__(self) -> RunsDisplay:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def started(self, run: PlannedRun, where: str) -> None:
        """Tell that a run has started, and where."""
        again = " again" if run.name in self._at_work else ""
        self._print(f"{run.name}: started{again}{_on(where)}")
        self._show(run.name, where)

    def advanced(self, run: PlannedRun, where: str, line: str) -> None:
        """Note how far a run is."""
        if run.name not in self._at_work:  # which it was before this program was started
            self._print(f"{run.name}: goes on{_on(where)}")
        if (before := share_before(line)) is not None and run.name not in self._shares:
            self._shares[run.name] = self._before[run.name] = before
        if (share := share_done(line)) is not None:
            self._shares[run.name] = share
        self._show(run.name, where, line)
        self._tell_all()

    def ended(self, outcome: Outcome) -> None:
        """Tell how a run has ended; of a failed one also why."""
        took = f" in {_duration(outcome.seconds)}" if outcome.seconds else ""
        show = outcome.run.experiment.metric.show
        found = "".join(f", {scenario} {show(value)}" for scenario, value in outcome.averages.items())
        why = "\n" + textwrap.indent(outcome.message, "  ") if outcome.state == "failed" else ""
        self._print(f"{outcome.run.name}: {outcome.state}{took}{found}{why}")
        if bar := self._at_work.pop(outcome.run.name, None):
            self._bars.remove_task(bar)
        self._shares.pop(outcome.run.name, None)
        self._ended += 1
        self._reused += outcome.state == "reused"
        self._tell_all()

    def _show(self, name: str, where: str, line: str = "") -> None:
        if name not in self._at_work:
            self._at_work[name] = self._bars.add_task(name, total=1.0, note="")
        self._where[name] = where
        self._bars.update(self._at_work[name], completed=self._shares.get(name, 0.0), note=f"{where}  {line}".strip())

    def _tell_all(self) -> None:
        """Say how far all runs are: on the bar, or in a line if the last one was long ago."""
        now = time.monotonic()
        done = self._ended + sum(self._shares.values())
        worked = done - self._reused - sum(self._before.values())
        left = (now - self._begin) * (self._total - done) / worked if worked > 0 else 0.0
        about = f"about {_duration(left)} left" if left else ""
        self._bars.update(self._all, completed=done, note=about)
        if self._console.is_terminal or now - self._told < self._LINE_SECONDS or self._ended == self._total:
            return
        self._told = now
        names = [f"{name} {self._shares.get(name, 0):.1%}{_on(self._where[name])}" for name in self._at_work]
        more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
        at_work = f"at work: {', '.join(names[:_SHOWN] + more)}" if names else ""
        self._print("; ".join(filter(None, [f"{self._ended} of {self._total} runs have ended", at_work, about])))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _on(where: str) -> str:
    return f" on {where}" if where else ""


def _duration(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=round(seconds))


def failures(outcomes: Sequence[Outcome]) -> str:
    """Text with the number of failed runs and the reason of each; empty if none failed."""
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if not failed:
        return ""
    reasons = [f"{outcome.run.name}:\n{textwrap.indent(outcome.message, '  ')}\n" for outcome in failed]
    table = "the table holds the others" if any(outcome.recorded for outcome in outcomes) else "no table is written"
    return "".join([f"{len(failed)} of {len(outcomes)} runs failed; {table}.\n", *reasons])


def trial_line(trial: Trial, metric: Metric) -> str:
    """Line for a trial that ended.

    Example:
        >>> from hypermnesia.criteria import ACCURACY
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
