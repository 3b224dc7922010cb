"""Many runs, each a process of its own, on a terminal: a line for each that starts or ends, and what failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hypermnesia.cli.common import FAILED, exit_with, tell

if TYPE_CHECKING:
    from rich.console import Console

    from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun


def carry_out(
    console: Console, runs: Sequence[PlannedRun], directory: Path, jobs: int, data: Path | None
) -> tuple[list[Outcome], int | None]:
    """Carry runs out with a line for each that starts or ends; also returns the signal that stopped them, if any."""
    from hypermnesia.experiments.many_runs import processes
    from hypermnesia.experiments.single_run.stopping import StopSignals
    from hypermnesia.report.many_runs import ended, started

    with StopSignals() as stop:
        outcomes = processes.carry_out(
            runs,
            directory,
            jobs=jobs,
            data=data,
            started=lambda run: tell(console, started(run)),
            ended=lambda outcome: tell(console, ended(outcome)),
            stop=stop,
        )
    return outcomes, stop.received


def end(outcomes: Sequence[Outcome], received: int | None) -> None:
    """Say which runs failed, and exit accordingly; where there is nothing to say, go on."""
    from hypermnesia.report.many_runs import failures

    failed = failures(outcomes)
    if received:
        exit_with(128 + received, f"{failed}Stopped, and saved. The same command goes on.")
    if failed:
        exit_with(FAILED, failed.rstrip())
