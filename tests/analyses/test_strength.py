import csv
import io
from pathlib import Path

import numpy as np
import pytest

from hypermnesia.analyses.sheet import as_csv
from hypermnesia.analyses.strength import plan, strength_chart, strength_sheet
from hypermnesia.charts.chart import specification, svg
from hypermnesia.experiments.many_runs.base import base_of
from hypermnesia.experiments.many_runs.plan import Outcome
from tests.runs import recorded


def study(source: str, accuracies: dict[str, float]):
    """A study of one seed whose runs, by variant, had these average accuracies at the end."""
    planned = plan(base_of(source), [1e-3, 1e-2, 1.0], [1e2, 1e5, 1e9])
    outcomes = [
        Outcome(run, "finished", recorded=recorded(run.experiment, np.array([[0.99, np.nan], [at_end - 0.01, 0.99]])))
        for run in planned.runs
        for at_end in [2 * accuracies.get(run.group, 0.0) - 0.98]
        if run.group in accuracies
    ]
    return planned.collect(outcomes, Path())


WHOLE = {
    "hnet-0.001": 0.98,
    "hnet-0.01": 0.985,
    "hnet-1": 0.9,
    "online-ewc-100": 0.5,
    "online-ewc-100000": 0.7,
    "online-ewc-1e+09": 0.65,
}


def test_two_panels_share_one_axis_of_accuracy():
    drawn = specification(strength_chart(study("split-mnist", WHOLE)))
    assert len(drawn["hconcat"]) == 2
    (domain,) = {
        tuple(layer["encoding"]["y"]["scale"]["domain"])
        for panel in drawn["hconcat"]
        for outer in panel["layer"]
        for layer in outer.get("layer", [])
        if "scale" in layer["encoding"]["y"]
    }
    assert domain == pytest.approx((50, 99))


def test_the_strength_of_the_preset_is_marked_where_there_is_one():
    assert svg(strength_chart(study("split-mnist", WHOLE))).count(b">preset<") == 2
    # There is no preset of EWC for Fashion-MNIST; β = 0.01 is within the range.
    assert svg(strength_chart(study("split-fashion-mnist", WHOLE))).count(b">preset<") == 1


def test_it_says_which_strengths_do():
    sheet = strength_sheet(study("split-mnist", WHOLE))
    assert sheet.notes[-2:] == [
        "HNET: 2 of 3 strengths come within one point of its best at the end: 0.001, 0.01.",
        "online EWC: 1 of 3 strengths come within one point of its best at the end: 100000.",
    ]
    rows = list(csv.DictReader(io.StringIO(as_csv(sheet))))
    assert [float(row["strength"]) for row in rows] == [1e-3, 1e-2, 1, 1e2, 1e5, 1e9]
    assert float(rows[4]["at_end_percent"]) == pytest.approx(70)


def test_what_has_not_finished_is_left_out():
    ours = study("split-mnist", {"hnet-1": 0.9})
    assert len(specification(strength_chart(ours))["hconcat"]) == 1
    assert strength_sheet(ours).rows[0] == ["HNET, β = 0.001", "", "", "0 of 1"]
    assert strength_chart(study("split-mnist", {})) is None
