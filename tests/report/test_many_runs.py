import numpy as np

from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun
from hypermnesia.report.many_runs import ended, failures, started
from tests.runs import load, recorded

RUN = PlannedRun("digits_new", load("split-digits", ["seed=3"]), ("task",))


def test_a_line_for_each_run():
    assert started(RUN) == "digits_new-seed3: started"
    found = recorded(RUN.experiment, np.array([[0.5]]))
    assert ended(Outcome(RUN, "reused", recorded=found)) == "digits_new-seed3: reused, task 50.00 %"
    assert ended(Outcome(RUN, "failed", 3723.4, message="why")) == "digits_new-seed3: failed in 1:02:03"


def test_failures_are_told_with_their_reasons():
    fine, bad = Outcome(RUN, "finished"), Outcome(RUN, "failed", message="exit code 1\nno memory left")
    assert failures([fine]) == ""
    assert failures([fine, bad]) == (
        "1 of 2 runs failed; the table holds the others.\ndigits_new-seed3:\n  exit code 1\n  no memory left\n"
    )
