import dataclasses
import io

import numpy as np
from rich.console import Console

from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun
from hypermnesia.report.many_runs import RunsDisplay, failures
from tests.runs import load, recorded

RUN = PlannedRun("digits_new", load("split-digits", ["seed=3"]), ("task",))


def display(total: int) -> tuple[RunsDisplay, io.StringIO]:
    text = io.StringIO()
    return RunsDisplay(Console(file=text, width=200), total), text


def test_a_line_for_each_run():
    shown, text = display(2)
    shown.started(RUN, "")
    shown.ended(Outcome(RUN, "reused", recorded=recorded(RUN.experiment, np.array([[0.5]]))))
    assert text.getvalue() == "digits_new-seed3: started\ndigits_new-seed3: reused, task 50.00 %\n"


def test_progress_across_a_cluster(monkeypatch):
    """Which runs, where, how far, time left; and of a failed one its last lines, at once."""
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    other = dataclasses.replace(RUN, group="other")
    shown, text = display(4)
    shown.started(RUN, "tcp://one:1")
    shown.started(RUN, "tcp://two:2")
    shown.advanced(RUN, "tcp://two:2", "task 1/2 (digits 0/1): loss 0.1")
    shown.advanced(other, "tcp://three:3", "task 1/4 (digits 0/1): iteration 50/100  loss 0.1")
    shown.ended(Outcome(RUN, "failed", 3723.4, message="exit code 1\nno memory left"))
    assert text.getvalue().splitlines() == [
        "digits_new-seed3: started on tcp://one:1",
        "digits_new-seed3: started again on tcp://two:2",
        "other-seed3: goes on on tcp://three:3",
        "0 of 4 runs have ended; at work: digits_new-seed3 50.0% on tcp://two:2, other-seed3 12.5% on tcp://three:3;"
        " about 0:03:36 left",
        "digits_new-seed3: failed in 1:02:03",
        "  exit code 1",
        "  no memory left",
    ]


def test_what_was_done_before_a_run_was_resumed_is_no_measure_of_its_speed(monkeypatch):
    """Half of it was there; a tenth took a minute: so the other four tenths take four."""
    clock = iter([0.0, 30.0, 60.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    shown, text = display(1)
    shown.started(RUN, "")
    shown.advanced(RUN, "", "Resumed after 1 of 2 tasks, at step 50, 50.0 % of all.")
    shown.advanced(RUN, "", "task 2/2 (digits 2/3), 60.0 % of all: iteration 10/50  loss 0.1")
    assert text.getvalue().splitlines() == [
        "digits_new-seed3: started",
        "0 of 1 runs have ended; at work: digits_new-seed3 50.0%",
        "0 of 1 runs have ended; at work: digits_new-seed3 60.0%; about 0:04:00 left",
    ]


def test_failures_are_told_with_their_reasons():
    fine = Outcome(RUN, "finished", recorded=recorded(RUN.experiment, np.array([[0.5]])))
    bad = Outcome(RUN, "failed", message="exit code 1\nno memory left")
    reason = "digits_new-seed3:\n  exit code 1\n  no memory left\n"
    assert failures([fine]) == ""
    assert failures([fine, bad]) == f"1 of 2 runs failed; the table holds the others.\n{reason}"
    assert failures([bad]) == f"1 of 1 runs failed; no table is written.\n{reason}"
