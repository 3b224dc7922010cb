import numpy as np
import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.many_runs.base import base_of, choose
from hypermnesia.experiments.many_runs.compare import compare, plan_comparison
from hypermnesia.experiments.many_runs.plan import Outcome
from hypermnesia.experiments.settings import sources
from hypermnesia.learners import METHODS
from tests.runs import recorded

NAN = np.nan


def test_a_run_for_each_method_and_seed():
    base = base_of("split-digits", {"scenario": "class", "training.iterations": 3})
    runs = plan_comparison(base, choose(["hnet", "ewc"], "class"), 2)
    assert [run.name for run in runs] == ["hnet-seed0", "ewc-seed0", "hnet-seed1", "ewc-seed1"]
    assert {run.scenarios for run in runs} == {("class",)}
    assert [run.experiment.seed for run in runs] == [0, 0, 1, 1]
    assert {run.experiment.training.iterations for run in runs} == {3}
    assert runs[3].experiment == base.experiment_of("ewc", {"seed": 1})


@pytest.mark.parametrize("own_file", [False, True])
def test_planning_reads_each_file_at_most_once_and_no_setting_from_text(tmp_path, monkeypatch, own_file):
    source = "split-mnist"
    if own_file:
        (tmp_path / "mine.yaml").write_text(sources.dump(sources.read_settings("split-mnist") | {"name": "mine"}))
        source = str(tmp_path / "mine.yaml")
    read: list[str] = []
    parse = sources.parse
    sources.read_preset.cache_clear()
    monkeypatch.setattr(sources, "parse", lambda text: read.append(text) or parse(text))
    monkeypatch.delattr(sources, "assignments")
    base = base_of(source, {"scenario": "class"})
    runs = plan_comparison(base, choose([], "class"), seeds=5)
    assert len(runs) == 5 * (len(METHODS) - 1) >= 85
    assert base.name.endswith("-class")
    assert all(sum(text == again for again in read) == 1 for text in read)
    assert len(read) == 1


def test_a_setting_that_one_method_lacks_is_refused_before_anything_runs():
    base = base_of("split-digits", {"learner.beta": 1})
    assert plan_comparison(base, choose(["hnet", "hnet-tir"], "task"))
    with pytest.raises(ConfigurationError) as caught:
        plan_comparison(base, choose(["hnet", "si"], "task"))
    first, *_, last = str(caught.value).splitlines()
    assert first == "si: split-digits cannot be run."
    assert last.endswith("leave it out, or name methods that have it.")


def test_a_setting_that_makes_it_another_method_is_refused():
    base = base_of("split-digits", {"learner.beta": 1})
    with pytest.raises(ConfigurationError, match=r"hnet-unprotected: .*\nlearner: beta must be 0.0 for hnet-unprot"):
        plan_comparison(base, choose(["hnet", "hnet-unprotected"], "task"))


def test_figures_are_over_finished_seeds():
    base = base_of("split-digits")
    methods = choose(["si", "hnet"], "task")
    matrix = np.array([[0.9, NAN, NAN], [0.8, 0.7, NAN], [0.6, 0.5, 1.0]])
    better = matrix + np.array([[0, 0, 0], [0, 0, 0], [0.2, 0.1, 0]])
    zero, other, one = (run for run in plan_comparison(base, methods, 2) if run.name != "hnet-seed1")
    kept = {"memory_bytes": [1000, 1500, 2400], "num_weights": 250}
    outcomes = [
        Outcome(one, "finished", recorded=recorded(one.experiment, better, **kept)),
        Outcome(other, "failed"),
        Outcome(zero, "reused", recorded=recorded(zero.experiment, matrix, **kept)),
    ]
    comparison = compare(base, methods, outcomes, 2)
    si, hnet = comparison.found.values()
    assert [method.name for method in comparison.found] == ["si", "hnet"]
    assert [run.seed for run in si.runs] == [0, 1]
    assert si.average == pytest.approx(Spread(0.75, 0.05))
    assert si.forgetting == pytest.approx(Spread(0.175, 0.075))
    assert si.milliseconds_per_step == pytest.approx(250)
    assert (si.memory_bytes[-1], si.memory_per_task, si.figure("num_weights")) == (2400, 700, 250)
    assert si.first_task == pytest.approx(np.array([[0.9, 0.8, 0.6], [0.9, 0.8, 0.8]]))
    assert si.average_so_far[0] == pytest.approx([0.9, 0.75, 0.7])
    assert [method.name for method in comparison.untuned] == ["si"]
    assert hnet.runs == ()

    alone = recorded(zero.experiment, np.array([[0.9]]), memory_bytes=[1000])
    si = compare(base, methods, [Outcome(zero, "finished", recorded=alone)]).found[METHODS["si"]]
    assert si.average == Spread(0.9, None)
    assert si.forgetting is si.memory_per_task is None
    assert si.memory_bytes == [1000]


def test_what_was_not_measured_is_no_number():
    base = base_of("split-digits")
    methods = choose(["hnet"], "task")
    sparse = np.array([[0.9, NAN, NAN], [NAN, 0.7, NAN], [0.6, 0.5, 1.0]])
    (run,) = plan_comparison(base, methods)
    found = compare(base, methods, [Outcome(run, "finished", recorded=recorded(run.experiment, sparse))]).found
    hnet = found[METHODS["hnet"]]
    assert hnet.first_task[0] == pytest.approx([0.9, NAN, 0.6], nan_ok=True)
    assert hnet.average_so_far[0] == pytest.approx([0.9, NAN, 0.7], nan_ok=True)


def test_methods_whose_settings_nobody_chose_for_the_tasks_are_known():
    def untuned(source):
        methods = choose([], "task")
        return {method.name for method in compare(base_of(source), methods, []).untuned}

    assert {"ewc", "si", "hnet", "hnet-unprotected", "joint", "fine-tuning"}.isdisjoint(untuned("split-mnist"))
    of_digits = untuned("split-digits")
    assert {"ewc", "si", "lwf", "hnet-ewc"} <= of_digits
    assert {"hnet", "hnet-unprotected", "from-scratch", "joint"}.isdisjoint(of_digits)  # with settings of hnet
