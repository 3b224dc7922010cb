"""What methods are compared on, and which they are."""

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.many_runs.base import base_of, choose, influential, left_out
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.learners import METHODS


@pytest.mark.parametrize("source", ["split-digits", "split-mnist", "permuted-mnist-10"])
@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
def test_every_method_is_compared_in_the_scenario_of_the_base(source, scenario):
    base = base_of(source, {"scenario": scenario, "training.iterations": 7})
    for method in choose([], scenario):
        own = base.experiment_of(method.name)
        assert own == load_experiment(source, {"scenario": scenario, "training.iterations": 7}, method.name)
        for section in ("data", "tasks", "network", "scenario"):
            assert getattr(own, section) == getattr(base.experiment, section), (method.name, section)
        assert own.training.iterations == 7


def test_without_a_scenario_it_is_that_of_the_benchmark_also_where_a_method_prefers_another():
    base = base_of("split-mnist")
    assert (base.scenario, load_experiment("split-mnist", method="si").scenario) == ("task", "class")
    assert base.experiment_of("si").scenario == "task"
    assert base.experiment_of("si").learner.strength == 10


def test_the_comparison_is_called_after_experiment_and_another_scenario():
    assert base_of("split-mnist").name == base_of("split-mnist", {"scenario": "task"}).name == "split-mnist"
    assert base_of("split-mnist", {"scenario": "domain"}).name == "split-mnist-domain"


def test_what_a_user_says_goes_before_what_the_method_has():
    def learner(source, name, **changes):
        changes = {f"learner.{key}": value for key, value in changes.items()}
        return base_of(source, changes).experiment_of(name).learner

    assert learner("split-mnist", "ewc", strength=3).strength == 3
    assert learner("split-digits", "online-ewc", decay=0.5).decay == 0.5
    assert base_of("split-digits", {"learner.beta": 3}).without_learner().experiment_of("hnet").learner.beta == 10


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"seed": 3}, "seed differs from run to run: leave it out, and choose seeds"),
        ({"learner.method": "si"}, "learner.method differs from run to run: leave it out, and choose methods"),
        ({"learner": {"method": "si"}}, "learner differs from run to run: leave it out, and choose methods"),
        ({"seeds": 3}, "split-digits cannot be run.\nseeds: unknown setting"),
    ],
)
def test_what_is_for_the_comparison_to_decide_is_refused(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        base_of("split-digits", changes)
    with pytest.raises(ConfigurationError, match=r"no preset 'split-digit'\. Did you mean 'split-digits'"):
        base_of("split-digit")


def test_methods_are_chosen_by_name_once_each_in_that_order():
    assert [method.name for method in choose(["si", "hnet", "si"], "class")] == ["si", "hnet"]
    assert [method.name for method in choose([], "task")] == list(METHODS)
    assert [method.name for method in choose([], "class")] == [name for name in METHODS if name != "separate"]
    assert left_out("task") == []
    assert left_out("domain") == ["separate answers only where the scenario is task, not domain"]


@pytest.mark.parametrize(
    "name, message",
    [
        ("ecw", r"methods: there is no method 'ecw'\. Did you mean 'ewc'\? Methods: hnet, hnet-unprotected, "),
        ("separate", "methods: separate answers only where the scenario is task, not class; leave it out"),
    ],
)
def test_a_method_that_cannot_be_chosen_has_its_message(name, message):
    with pytest.raises(ConfigurationError, match=message):
        choose(["hnet", name], "class")


def test_where_and_how_a_run_is_written_down_is_no_change_of_the_experiment():
    without = {"device": "cpu", "threads": 1, "recording.log_every": 3, "evaluation.tasks": "all"}
    assert influential(without) == ()
    assert influential({"device": "cpu", "seeds": 1, "training": {"iterations": 3}}) == (
        "seeds=1",
        "training={iterations: 3}",
    )
    base = base_of("split-digits", {"scenario": "class", "device": "cpu", "training.iterations": 3})
    assert base.changed == ("training.iterations=3",)
