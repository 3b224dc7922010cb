import pytest

from hypermnesia.experiments.many_runs.answers import answering, answers
from hypermnesia.experiments.many_runs.published import load as published
from hypermnesia.experiments.many_runs.reproduce import plan
from hypermnesia.experiments.recorded_runs.groups import group
from hypermnesia.experiments.recorded_runs.recorded import read
from hypermnesia.experiments.settings.config import load
from tests.runs import triangle, write_run

TABLE = published("table-1")


def test_every_run_of_a_table_answers_for_itself():
    for run in plan(TABLE):
        assert answering(TABLE, load(run.preset, [*run.settings, "seed=7", "device=cpu"])).name == run.group


@pytest.mark.parametrize(
    ("preset", "settings", "expected"),
    [
        ("split-mnist", ["scenario=class"], "split-mnist_hnet-ent"),  # learned alike in all scenarios
        ("split-mnist", ["recording.log_every=1", "threads=1"], "split-mnist_hnet-ent"),
        ("split-mnist-replay", ["scenario=class"], "split-mnist_hnet-r_class"),
        ("split-mnist-ewc", ["scenario=domain"], "split-mnist_ewc_domain"),
    ],
)
def test_settings_without_influence_do_not_matter(preset, settings, expected):
    assert answering(TABLE, load(preset, settings)).name == expected


@pytest.mark.parametrize(
    ("preset", "settings"),
    [("split-mnist", ["learner.beta=0.02"]), ("split-digits", []), ("split-mnist", ["training.iterations=1999"])],
)
def test_other_settings_answer_for_nothing(preset, settings):
    assert answering(TABLE, load(preset, settings)) is None


def test_accuracies_of_all_seeds_stand_in_their_cell(tmp_path):
    runs = [
        write_run(
            tmp_path / f"r{seed}",
            f"seed={seed}",
            "scenario=task",
            preset="split-mnist-si",
            matrix=triangle(5, last=last),
        )
        for seed, last in enumerate((0.5, 0.6))
    ]
    runs.append(write_run(tmp_path / "going", "seed=2", "scenario=task", preset="split-mnist-si", learned=2))
    groups, _ = group([read(path) for path in runs])
    found = answers(TABLE, groups)
    assert set(found.measured) == {("split-mnist", "task", "si")}
    cell = found.cell("split-mnist", "task", "si")
    assert cell.ours == pytest.approx((59.8, 67.8))
    assert cell.below
