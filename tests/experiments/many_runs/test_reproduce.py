import math

import numpy as np
import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.many_runs.plan import Outcome
from hypermnesia.experiments.many_runs.published import CellKey, PublishedTable, load_table, select
from hypermnesia.experiments.many_runs.reproduce import Cell, answering, answers, compare_with_published, plan_table
from hypermnesia.experiments.recorded_runs.groups import group
from hypermnesia.experiments.recorded_runs.recorded import read_run
from tests.runs import load, recorded, triangle, write_run

TABLE = PublishedTable.model_validate(
    {
        "name": "tiny",
        "source": "somewhere",
        "seeds": 20,
        "methods": {"old": "OLD", "hnet": "NEW", "si": "OTHER"},
        "accuracy": {
            "digits": {"task": {"old": [90, 1], "hnet": [95, 0.5]}, "class": {"hnet": [60, 1], "si": [60, 1]}}
        },
        "variants": {"weak": {"label": "weaker", "note": "a tenth of the strength."}},
        "runs": [
            {"method": "hnet", "benchmark": "digits", "preset": "split-digits", "settings": {"learner.beta": 1}},
            {"method": "si", "benchmark": "digits", "preset": "split-digits", "scenarios": ["class"]},
            {
                "method": "hnet",
                "benchmark": "digits",
                "preset": "split-digits",
                "variant": "weak",
                "settings": {"learner.beta": 0.1},
            },
        ],
    }
)
PUBLISHED = load_table("table-1")


def test_a_run_for_each_entry_and_seed():
    runs = plan_table(TABLE, 2, {"training.iterations": 3})
    assert [run.name for run in runs] == [
        *("digits_hnet-seed0", "digits_si_class-seed0", "digits_hnet_weak-seed0"),
        *("digits_hnet-seed1", "digits_si_class-seed1", "digits_hnet_weak-seed1"),
    ]
    assert runs[3].experiment == load("split-digits", ["learner.beta=1", "training.iterations=3", "seed=1"])
    assert runs[4].experiment == load("split-digits", ["training.iterations=3", "seed=1"], "si")
    assert runs[5].experiment == load("split-digits", ["learner.beta=0.1", "training.iterations=3", "seed=1"])
    assert [run.scenarios for run in runs[:3]] == [("task", "class"), ("class",), ("task", "class")]
    (run,) = plan_table(select(TABLE, ["class"], ["hnet"], ["published"]))
    assert (run.name, run.scenarios) == ("digits_hnet-seed0", ("class",))


@pytest.mark.parametrize(
    "place, message",
    [
        ("seed", "the table decides on seed: leave it out, and choose seeds"),
        ("scenario", "the table decides on scenario: leave it out, and choose only"),
        ("learner.method", "the table decides on learner.method: leave it out, and choose methods"),
        ("learner.beta", "the table decides on learner.beta: leave it out, and choose variants"),
        ("learner.betta", "split-digits cannot be run.\nlearner.betta: unknown setting. Did you mean 'beta'"),
    ],
)
def test_settings_that_cannot_be_run_are_refused_before_anything_runs(place, message):
    with pytest.raises(ConfigurationError, match=message):
        plan_table(TABLE, 1, {place: 3})


def test_what_only_a_variant_decides_may_be_changed_without_it():
    (run,) = plan_table(select(TABLE, methods=["hnet"], variants=["published"]), 1, {"learner.beta": 3})
    assert (run.name, run.experiment.learner.beta) == ("digits_hnet-seed0", 3)


def test_cells_hold_the_figures_of_all_seeds_beside_the_published_ones_in_fractions():
    runs = plan_table(TABLE, 3)
    accuracy = {"digits_hnet": 0.9, "digits_hnet_weak": 0.7}
    outcomes = [
        Outcome(run, "finished", recorded=recorded(run.experiment, np.array([[first + run.experiment.seed / 100]])))
        for run in reversed(runs)
        if (first := accuracy.get(run.group))
    ]
    outcomes[1] = Outcome(runs[6], "failed", message="no memory left")
    comparison = compare_with_published(TABLE, outcomes)
    cell = comparison.cell("digits", "task", "hnet")
    assert cell.ours == pytest.approx(Spread(0.905, 0.005))
    assert (cell.seeds, cell.published) == (2, Spread(0.95, 0.005))
    weak = comparison.cell("digits", "task", "hnet", "weak")
    assert weak.ours == pytest.approx(Spread(0.71, 0.01 / math.sqrt(3)))
    assert (weak.seeds, weak.published, weak.below) == (3, cell.published, True)
    assert comparison.cell("digits", "class", "old") == Cell(None, 20, None, 0)
    assert set(comparison.found) == {
        CellKey("digits", scenario, "hnet", variant)
        for scenario in ("task", "class")
        for variant in ("published", "weak")
    }


@pytest.mark.parametrize(
    "published, ours, below",
    [
        ((0.95, 0.003), (0.9401, 0.004), False),  # 1 below; twice the standard error is 2 · 0.5
        ((0.95, 0.003), (0.9399, 0.004), True),
        ((0.95, 0.0), (0.949, 0.0), True),
        ((0.95, 0.005), (0.99, 0.0), False),
        ((0.95, 0.01), (0.95 - 0.02 * math.sqrt(21) + 0.0001, None), False),  # of one seed: √(1² + 20 · 1²)
        ((0.95, 0.01), (0.95 - 0.02 * math.sqrt(21) - 0.0001, None), True),
        ((0.95, 0.01), None, None),
        (None, (0.95, None), None),
    ],
)
def test_below_is_by_more_than_two_standard_errors(published, ours, below):
    cell = Cell(published and Spread(*published), 20, ours and Spread(*ours), 1)
    assert cell.below is below


def test_every_run_of_a_table_answers_for_itself():
    for run in plan_table(PUBLISHED):
        other = run.experiment.model_copy(update={"seed": 7, "device": "cpu"})
        assert answering(PUBLISHED, other).name == run.group


@pytest.mark.parametrize(
    ("method", "settings", "expected"),
    [
        ("hnet", ["scenario=class"], "split-mnist_hnet"),  # learned alike in all scenarios
        ("hnet", ["recording.log_every=1", "threads=1"], "split-mnist_hnet"),
        ("hnet-r", ["scenario=class"], "split-mnist_hnet-r_class"),
        ("online-ewc", ["scenario=domain"], "split-mnist_online-ewc_domain"),
        ("hnet", ["learner.start=module", "scenario=class"], "split-mnist_hnet_module"),
        (
            "hnet-r",
            ["learner.replay.model.hypernetwork.start=module", "scenario=task"],
            "split-mnist_hnet-r_module_task",
        ),
    ],
)
def test_settings_without_influence_do_not_matter(method, settings, expected):
    assert answering(PUBLISHED, load("split-mnist", settings, method)).name == expected


@pytest.mark.parametrize(
    ("preset", "settings", "method"),
    [
        ("split-mnist", ["learner.beta=0.02"], "hnet"),
        ("split-mnist", ["training.iterations=1999"], "hnet"),
        ("split-mnist", ["scenario=domain"], "ewc"),
        ("split-mnist", ["learner.start=module"], "hnet-tir"),  # of its two hypernetworks, one only
        ("split-digits", [], "hnet"),
    ],
)
def test_other_settings_answer_for_nothing(preset, settings, method):
    assert answering(PUBLISHED, load(preset, settings, method)) is None


def test_finished_runs_stand_in_their_cell_wherever_they_lie(tmp_path):
    si = {"preset": "split-mnist", "method": "si"}
    runs = [
        write_run(tmp_path / f"r{seed}", f"seed={seed}", "scenario=task", **si, matrix=triangle(5, last=last))
        for seed, last in enumerate((0.5, 0.6))
    ]
    runs.append(write_run(tmp_path / "going", "seed=2", "scenario=task", **si, learned=2))
    groups, _ = group([read_run(path) for path in runs])
    found = answers(PUBLISHED, groups)
    assert set(found.found) == {CellKey("split-mnist", "task", "si")}
    cell = found.cell("split-mnist", "task", "si")
    assert cell.ours == pytest.approx(Spread(0.638, 0.04))
    assert (cell.seeds, cell.below) == (2, True)


def test_finished_runs_of_a_variant_stand_beside_those_of_the_published_settings(tmp_path):
    hnet = {"preset": "split-mnist", "method": "hnet"}
    runs = [
        write_run(tmp_path / start, f"learner.start={start}", **hnet, matrix=triangle(5, last=last))
        for start, last in (("zero", 0.5), ("module", 0.6))
    ]
    groups, _ = group([read_run(path) for path in runs])
    found = answers(PUBLISHED, groups)
    assert set(found.found) == {CellKey("split-mnist", "task", "hnet", each) for each in ("published", "module")}
    ours = [found.cell("split-mnist", "task", "hnet", each).ours.mean for each in ("published", "module")]
    assert ours == pytest.approx([0.598, 0.678])
