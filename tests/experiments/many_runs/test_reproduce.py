import math

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.many_runs.processes import Outcome
from hypermnesia.experiments.many_runs.published import Accuracy, PublishedTable, select
from hypermnesia.experiments.many_runs.reproduce import Cell, changes, compare, plan

TABLE = PublishedTable.model_validate(
    {
        "name": "tiny",
        "source": "somewhere",
        "seeds": 20,
        "methods": {"old": "OLD", "new": "NEW", "other": "OTHER"},
        "accuracy": {
            "digits": {"task": {"old": [90, 1], "new": [95, 0.5]}, "class": {"new": [60, 1], "other": [60, 1]}}
        },
        "runs": [
            {"method": "new", "benchmark": "digits", "preset": "split-digits", "settings": ["learner.beta=1"]},
            {"method": "other", "benchmark": "digits", "preset": "split-digits", "scenarios": ["class"]},
        ],
    }
)


def test_a_run_for_each_entry_and_seed():
    runs = plan(TABLE, 2, ["training.iterations=3"])
    assert [run.name for run in runs] == [
        *("digits_new-seed0", "digits_other_class-seed0"),
        *("digits_new-seed1", "digits_other_class-seed1"),
    ]
    assert runs[2].settings == ("learner.beta=1", "training.iterations=3")
    assert (runs[0].scenarios, runs[1].scenarios) == (("task", "class"), ("class",))
    (run,) = plan(select(TABLE, ["class"], ["new"]))
    assert (run.name, run.scenarios) == ("digits_new-seed0", ("class",))


@pytest.mark.parametrize(
    "override, message",
    [
        ("seed=3", "the table decides on the seed; choose with --seeds"),
        ("scenario=class", "the table decides on the scenario; choose with --only"),
        ("learner.betta=3", "split-digits cannot be run.\nlearner.betta: unknown setting. Did you mean 'beta'"),
        ("split-digits", "'split-digits' is not understood"),
    ],
)
def test_settings_that_cannot_be_run_are_refused_before_anything_runs(override, message):
    with pytest.raises(ConfigurationError, match=message):
        plan(TABLE, 1, [override])


def test_where_and_how_a_run_is_written_down_is_no_change_of_the_experiment():
    assert changes(["device=cpu", "threads=1", "recording.log_every=3", "evaluation.tasks=all"]) == ()
    assert changes(["device=cpu", "seeds=1", "training={iterations: 3}"]) == ("seeds=1", "training={iterations: 3}")


def test_cells_hold_one_figure_a_seed_in_percent():
    runs = plan(TABLE, 3)
    outcomes = [
        Outcome(run, "finished", summary={"measure": "accuracy", "scenario_accuracy": {"task": 0.9 + run.seed / 100}})
        for run in reversed(runs[::2])
    ]
    outcomes[0] = Outcome(runs[4], "failed", message="no memory left")
    comparison = compare(TABLE, outcomes)
    assert comparison.cell("digits", "task", "new").ours == pytest.approx((90, 91))
    assert comparison.cell("digits", "task", "new").published == Accuracy(95, 0.5)
    assert comparison.cell("digits", "class", "old") == Cell(None, 20, ())


def test_mean_and_standard_error():
    cell = Cell(Accuracy(95, 0.5), 20, (90.0, 92.0, 97.0))
    assert cell.mean == 93
    assert cell.sem == pytest.approx(math.sqrt((9 + 1 + 16) / 2 / 3))
    assert (Cell(None, 20, (90.0,)).mean, Cell(None, 20, (90.0,)).sem) == (90, None)
    assert (Cell(None, 20, ()).mean, Cell(None, 20, ()).sem) == (None, None)


@pytest.mark.parametrize(
    "published, ours, below",
    [
        ((95, 0.3), (93.6, 94.4), False),  # 1 below; twice the standard error is 2 · 0.5
        ((95, 0.3), (93.5, 94.3), True),
        ((95, 0.0), (94.9, 94.9), True),
        ((95, 0.5), (99.0, 99.0), False),
        ((95, 1.0), (95 - 2 * math.sqrt(21) + 0.01,), False),  # of one seed: √(1² + 20 · 1²)
        ((95, 1.0), (95 - 2 * math.sqrt(21) - 0.01,), True),
        ((95, 1.0), (), None),
        (None, (95.0,), None),
    ],
)
def test_below_is_by_more_than_two_standard_errors(published, ours, below):
    assert Cell(published and Accuracy(*published), 20, ours).below is below
