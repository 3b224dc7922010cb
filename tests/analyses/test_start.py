import csv
import io
import itertools
from pathlib import Path

import numpy as np
import pytest

from hypermnesia.analyses.sheet import as_csv
from hypermnesia.analyses.start import STARTS, StartStudy, plan, start_chart, start_sheet
from hypermnesia.charts.chart import specification, svg
from hypermnesia.experiments.many_runs.base import base_of
from hypermnesia.experiments.many_runs.plan import Outcome
from hypermnesia.experiments.recorded_runs.recorded import read_run
from hypermnesia.experiments.settings.build import build_network, build_tasks
from hypermnesia.experiments.single_run.records import Records
from hypermnesia.experiments.single_run.rundir import RunDirectory
from tests.runs import write_run

# Losses that fall by a half each iteration, as long as they are above those below.
FALLING = [2.0**-step for step in range(40)]
LOSSES = {"fine-tuning": [1.0] * 40, "zero": [0.0] * 40, "module": FALLING, "module-features": FALLING}


def study(directory: Path, losses: dict[str, list[float]], *, seeds: int = 1) -> StartStudy:
    """A study whose runs, by group or by name, had these losses."""
    planned = plan(base_of("split-digits", {"network.hidden": [16]}), [0.1, 0.5], seeds=seeds)
    outcomes = []
    for run in planned.runs:
        if (values := losses.get(run.name, losses.get(run.group))) is None:
            continue
        path = write_run(directory / run.name, f"seed={run.experiment.seed}", matrix=np.array([[0.96]]))
        RunDirectory(path).metrics.unlink()
        records = Records(RunDirectory(path).metrics)
        for step, loss in enumerate(values, 1):
            records.add(kind="step", step=step, task=0, iteration=step, loss=loss, accuracy=0.5)
        records.close()
        outcomes.append(Outcome(run, "finished", recorded=read_run(path, history=False)))
    return planned.collect(outcomes, directory)


@pytest.fixture
def whole(tmp_path) -> StartStudy:
    return study(tmp_path, LOSSES)


def panels(drawn: StartStudy) -> tuple[list[dict], list[dict]]:
    """Marks of both panels."""
    scales, losses = specification(start_chart(drawn))["hconcat"]
    return scales["data"]["values"], losses["data"]["values"]


def test_only_the_first_task_is_learned_and_every_iteration_recorded():
    planned = plan(base_of("permuted-digits"), [0.1], seeds=2)
    assert [run.name for run in planned.runs] == [
        f"{start}-seed{seed}" for seed, start in itertools.product(range(2), LOSSES)
    ]
    assert {(run.experiment.tasks.num_tasks, run.experiment.recording.log_every) for run in planned.runs} == {(1, 1)}
    itself, *generated = (run.experiment.learner for run in planned.runs[:4])
    assert itself.method == "fine-tuning"
    assert [(each.method, each.start, each.rate_factor) for each in generated] == [
        ("hnet", "zero", 1),
        ("hnet", "module", 1),
        ("hnet", "module", "features"),
    ]


def test_settings_of_the_learner_are_those_of_the_hypernetwork():
    itself, *generated = plan(base_of("split-digits", {"learner.chunk_size": 999}), [0.1]).runs
    assert itself.experiment.learner.method == "fine-tuning"
    assert {run.experiment.learner.chunk_size for run in generated} == {999}


def test_with_the_modules_start_layers_have_the_scale_of_the_network_itself(whole):
    experiment = plan(base_of("split-digits", {"network.hidden": [16]}), [0.1]).runs[0].experiment
    network = build_network(experiment, build_tasks(experiment))
    assert whole.layers == ("1.weight, 16 × 64", "3.weight, 2 × 16")
    itself, zero, module, features = (each.scales for each in whole.begun)
    assert itself == pytest.approx([float(network[n].weight.detach().std(correction=0)) for n in (1, 3)])
    assert module == features == pytest.approx(itself)
    assert all(0 < scale != pytest.approx(own) for scale, own in zip(zero, itself, strict=True))
    assert whole.begun[0].features is None and whole.begun[1].features > 1


def test_iterations_are_counted_until_the_mean_of_ten_batches_is_low_enough(whole):
    itself, zero, module, _ = whole.begun
    means = [np.mean(FALLING[max(0, end - 10) : end]) for end in range(1, 41)]
    assert module.loss == pytest.approx(means)
    assert (module.iterations_to(0.5), means[3] <= 0.5 < means[2]) == ([4], True)
    assert (zero.iterations_to(0.1), itself.iterations_to(0.5)) == ([1], [])


def test_the_table_says_what_is_never_reached(whole):
    sheet = start_sheet(whole)
    itself, zero, module, _ = sheet.rows
    assert sheet.head[:5] == ["start", "scale / the network's", "Σ|Φ|", "iterations to 0.5", "iterations to 0.1"]
    assert itself == ["the network itself", "1.00", "", "never", "never", "96.00", "1"]
    assert (zero[0], zero[3:]) == ("start: zero, rate_factor: 1", ["1", "1", "96.00", "1"])
    assert module[1] == "1.00" and " to " in zero[1]
    rows = list(csv.DictReader(io.StringIO(as_csv(sheet))))
    assert [row["start"] for row in rows] == [each.name for each in STARTS]
    assert (rows[0]["iterations_to_0.5"], float(rows[2]["iterations_to_0.5"])) == ("", 4)
    assert float(rows[1]["scale_2"]) == whole.begun[1].scales[1]


def test_every_layer_has_a_mark_for_each_start_and_zeros_are_not_drawn(whole):
    scales, losses = panels(whole)
    assert [mark["scale"] for mark in scales] == pytest.approx([x for each in whole.begun for x in each.scales], 1e-3)
    assert {mark["layer"] for mark in scales} == set(whole.layers)
    by_start = {each.label: [mark for mark in losses if mark["start"] == each.label] for each in STARTS}
    assert by_start["start: zero, rate_factor: 1"] == []
    falling = by_start["start: module, rate_factor: 1"]
    assert (falling[0]["iteration"], falling[0]["loss"], falling[-1]["iteration"]) == (1, 1, 40)
    text = svg(start_chart(whole)).decode()
    assert "split-digits, task-incremental, one seed: the start of the first task" in text
    assert "All ran with network.hidden=[16]." in text


def test_of_some_seeds_that_come_so_far_the_table_says_how_many(tmp_path):
    sheet = start_sheet(study(tmp_path, {"zero-seed0": FALLING, "zero-seed1": [1.0] * 40}, seeds=2))
    assert sheet.rows[1][3:] == ["4 (1 of 2)", "11 (1 of 2)", "96.00 ± 0.00", "2"]
    assert (sheet.figures[1]["iterations_to_0.5"], sheet.figures[1]["seeds_to_0.5"]) == (4, 1)


def test_curves_are_means_over_seeds(tmp_path):
    two = study(tmp_path, {"module": FALLING}, seeds=2)
    assert len(two.begun[2].losses) == 2
    assert two.begun[2].loss == pytest.approx(two.begun[2].losses[0])
    assert two.begun[0].scales != study(tmp_path / "one", {}).begun[0].scales


def test_what_has_not_finished_is_left_out(tmp_path):
    ours = study(tmp_path, {"module": FALLING})
    scales, losses = panels(ours)
    assert {mark["start"] for mark in (*scales, *losses)} == {"start: module, rate_factor: 1"}
    assert start_sheet(ours).rows[0] == ["the network itself", "1.00", "", "", "", "", "0 of 1"]
    assert start_chart(study(tmp_path / "none", {})) is None


def test_a_run_that_lost_its_curve_has_its_accuracy_still(tmp_path):
    ours = study(tmp_path, {"module": []})
    assert start_sheet(ours).rows[2][3:] == ["", "", "96.00", "1"]
    assert start_chart(ours) is None
