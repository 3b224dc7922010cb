"""Lines about many runs, as they are carried out and when they have failed."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Sequence

from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun
from hypermnesia.problems import ACCURACY, ERROR


def started(run: PlannedRun) -> str:
    """The line for a run that starts."""
    return f"{run.name}: started"


def ended(outcome: Outcome) -> str:
    """The line for a run that ended.

    Example:
        >>> run = PlannedRun("ewc", "split-mnist-ewc", (), ("task", "class"), 0)
        >>> found = {"measure": "accuracy", "scenario_accuracy": {"task": 0.9973, "class": 0.695}}
        >>> ended(Outcome(run, "finished", 83.4, found))
        'ewc-seed0: finished in 0:01:23, task 99.73 %, class 69.50 %'
    """
    took = f" in {datetime.timedelta(seconds=round(outcome.seconds))}" if outcome.seconds else ""
    show = next((m.show for m in (ACCURACY, ERROR) if m.name == outcome.summary.get("measure")), str)
    found = "".join(f", {scenario} {show(value)}" for scenario, value in outcome.averages.items())
    return f"{outcome.run.name}: {outcome.state}{took}{found}"


def failures(outcomes: Sequence[Outcome]) -> str:
    """How many runs failed, and the reason of each; empty if none did."""
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if not failed:
        return ""
    reasons = [textwrap.indent(f"{outcome.message}\n", "  ") for outcome in failed]
    head = f"{len(failed)} of {len(outcomes)} runs failed; the table holds the others.\n"
    return head + "".join(f"{outcome.run.name}:\n{reason}" for outcome, reason in zip(failed, reasons, strict=True))
