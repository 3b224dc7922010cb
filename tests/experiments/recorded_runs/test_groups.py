import numpy as np
import pytest

from hypermnesia.experiments.recorded_runs.groups import group
from hypermnesia.experiments.recorded_runs.recorded import read_run
from tests.runs import triangle, write_run


def grouped(*paths):
    return group([read_run(path) for path in paths])


def test_runs_that_differ_in_the_seed_only_are_one_group(tmp_path):
    paths = [
        write_run(tmp_path / "ours-seed1", "seed=1", matrix=triangle(3, last=0.8)),
        write_run(tmp_path / "other-seed0", "learner.beta=3"),
        write_run(tmp_path / "ours-seed0", "seed=0", matrix=triangle(3, last=0.6)),
    ]
    (ours, other), problems = grouped(*paths)
    assert problems == []
    assert (ours.label, other.label) == ("ours", "other")
    assert [run.seed for run in ours.runs] == [0, 1]
    finals = [np.mean([0.6, 0.6, 0.99]), np.mean([0.8, 0.8, 0.99])]
    assert ours.average.mean == pytest.approx(np.mean(finals))
    assert ours.average.sem == pytest.approx(np.std(finals, ddof=1) / np.sqrt(2))
    assert other.average.sem is None
    assert "seed" not in ours.settings
    assert other.settings["learner.beta"] == 3
    assert ours.seconds == pytest.approx(3 * 2.75)
    assert ours.milliseconds_per_step == pytest.approx(250)


def test_figures_are_over_finished_runs(tmp_path):
    paths = [
        write_run(tmp_path / "seed0", "seed=0", matrix=triangle(3, last=0.6)),
        write_run(tmp_path / "seed1", "seed=1", learned=2),
    ]
    (both,), _ = grouped(*paths)
    assert both.finished
    assert [run.seed for run in both.counted] == [0]
    assert both.average.mean == pytest.approx(np.mean([0.6, 0.6, 0.99]))


def test_while_none_is_finished_they_are_of_the_one_furthest_ahead(tmp_path):
    paths = [write_run(tmp_path / f"seed{seed}", f"seed={seed}", learned=n) for seed, n in enumerate((0, 2, 1))]
    (all_three,), _ = grouped(*paths)
    assert not all_three.finished
    assert [run.seed for run in all_three.counted] == [1]
    assert all_three.matrices.shape == (1, 2, 3)
    assert all_three.average.mean == pytest.approx(np.mean(triangle(3)[1, :2]))


def test_a_run_that_has_just_started_has_no_figures(tmp_path):
    (one,), _ = grouped(write_run(tmp_path / "run", learned=0))
    assert (one.average, one.forgetting, one.seconds, one.milliseconds_per_step) == (None,) * 4
    assert (one.memory_bytes, one.inferred, one.figure("compression")) == ([], None, None)


def test_the_same_settings_and_seed_twice_count_once(tmp_path):
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b")
    (only,), problems = grouped(first, second)
    assert len(only.runs) == 1
    assert problems == [f"{second} has the settings and the seed of {first}; it is left out."]


def test_labels_differ(tmp_path):
    paths = [
        write_run(tmp_path / "x" / "run-seed0"),
        write_run(tmp_path / "y" / "run-seed0", "learner.beta=1"),
        write_run(tmp_path / "y" / "run-0", "learner.beta=2"),
        write_run(tmp_path / "z", "learner.beta=3"),
    ]
    groups, _ = grouped(*paths)
    assert [each.label for each in groups] == ["x/run", "y/run", "y/run (2)", "z"]


def test_a_curve_of_diagonal_and_last_row_has_its_figures_at_the_end_only(tmp_path):
    matrix = np.full((3, 3), np.nan)
    np.fill_diagonal(matrix, 0.9)
    matrix[-1] = [0.7, 0.8, 0.9]
    sparse = ("evaluation.tasks=diagonal-and-last-row",)
    (whole,), _ = grouped(write_run(tmp_path / "whole", *sparse, matrix=matrix))
    (part,), _ = grouped(write_run(tmp_path / "part", *sparse, matrix=matrix, learned=2))
    assert whole.average.mean == pytest.approx(0.8)
    assert whole.forgetting.mean == pytest.approx(0.15)
    assert part.average is None
