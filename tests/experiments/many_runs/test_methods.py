import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.many_runs.compare import Spread, compare, plan
from hypermnesia.experiments.many_runs.methods import METHODS, base_of, choose, left_out
from hypermnesia.experiments.many_runs.processes import Outcome
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.experiments.settings.config import load

SMALL = ["network.hidden=[8]", "tasks.num_tasks=2", "training.iterations=2", "device=cpu"]


def experiment(source: str, name: str, *overrides: str):
    """The experiment by which a method is compared."""
    preset, settings = base_of(source, overrides).settings(METHODS[name])
    return load(preset, settings)


@pytest.mark.parametrize("source", ["split-digits", "split-mnist", "permuted-mnist-10"])
@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
def test_every_method_has_the_same_tasks_network_and_training(source, scenario):
    base = load(source, [f"scenario={scenario}"])
    for method in choose([], scenario):
        own = experiment(source, method.name, f"scenario={scenario}")
        for section in ("data", "tasks", "network", "training", "scenario"):
            assert getattr(own, section) == getattr(base, section), (method.name, section)


@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
def test_every_method_can_be_made_and_answers(scenario):
    tasks = None
    for method in choose([], scenario):
        own = experiment("split-digits", method.name, f"scenario={scenario}", *SMALL)
        tasks = tasks or build_tasks(own)
        assert scenario in build_learner(own, tasks).scenarios, method.name


def test_names_and_labels_tell_methods_apart():
    assert list(METHODS) == [method.name for method in METHODS.values()]
    assert len({method.label for method in METHODS.values()}) == len(METHODS)
    for suffix in {method.suffix for method in METHODS.values()} - {None}:
        assert any(name.endswith(f"-{suffix}") for name in sources.presets()), suffix


def test_no_two_methods_are_the_same_experiment():
    for source in ("split-digits", "split-mnist"):
        learners = [experiment(source, name, "scenario=task").learner for name in METHODS]
        assert len({learner.model_dump_json() for learner in learners}) == len(METHODS)


def test_a_preset_made_for_the_method_is_taken_with_its_settings_for_the_scenario():
    assert base_of("split-mnist").preset(METHODS["ewc"]) == "split-mnist-ewc"
    # Of the base's scenario, not of the one that the preset was written for.
    assert experiment("split-mnist", "ewc").learner.strength == 1e5
    assert experiment("split-mnist", "si", "scenario=domain").learner.strength == 50000
    assert experiment("split-mnist", "hnet-r").learner == load("split-mnist-replay").learner


@pytest.mark.parametrize("source", ["split-mnist", "split-digits"])
def test_what_tells_variants_apart(source):
    assert experiment(source, "hnet-unprotected").learner.beta == 0
    assert experiment(source, "hnet").learner == load(source).learner
    assert experiment(source, "ewc").learner.decay is None
    assert experiment(source, "online-ewc").learner.decay == 1
    for name, temperature in (("dgr", None), ("dgr-distill", 2)):
        replay = experiment(source, name).learner.replay
        assert (replay.temperature, replay.weight, replay.model.kind) == (temperature, "equal", "self-replaying-vae")
    protected = experiment(source, "hnet-r").learner.replay.model
    assert protected.kind == "vae"


def test_without_a_preset_the_hypernetwork_of_the_base_is_kept():
    base = load("permuted-digits").learner
    for name in ("hnet-tir", "hnet-likelihood"):
        learner = experiment("permuted-digits", name).learner
        assert learner.method != base.method
        assert (learner.chunk_size, learner.beta, learner.hidden) == (base.chunk_size, base.beta, base.hidden)
    assert experiment("permuted-digits", "si").learner.model_dump() == {"method": "si", "strength": 1, "damping": 0.1}


def test_a_file_of_ones_own_is_a_base_too(tmp_path):
    values = sources.read("split-mnist") | {"by_scenario": {"class": {"learner.beta": 7}}}
    # Called like a preset: those for the preset's tasks are not for these.
    path = tmp_path / "split-mnist.yaml"
    path.write_text(sources.dump(values))
    assert experiment(str(path), "hnet", "scenario=class").learner.beta == 7
    assert experiment(str(path), "hnet-tir", "scenario=class").learner.beta == 7
    assert experiment(str(path), "ewc", "scenario=class").learner.strength == 1000
    base = base_of(str(path), ["scenario=class"])
    assert (base.name, base.preset(METHODS["ewc"])) == ("split-mnist-class", None)


def test_the_comparison_is_called_after_experiment_and_another_scenario():
    assert base_of("split-mnist").name == base_of("split-mnist", ["scenario=task"]).name == "split-mnist"
    assert base_of("split-mnist", ["scenario=domain"]).name == "split-mnist-domain"


def test_what_a_user_says_goes_before_what_the_method_has():
    assert experiment("split-mnist", "ewc", "learner.strength=3").learner.strength == 3
    assert experiment("split-digits", "online-ewc", "learner.decay=0.5").learner.decay == 0.5
    assert experiment("split-digits", "si", "training.iterations=3", "learner.strength=2").learner.strength == 2


@pytest.mark.parametrize(
    "name, override",
    [("ewc", "learner.decay=1"), ("hnet-unprotected", "learner.beta=1"), ("dgr", "learner.replay.temperature=2")],
)
def test_a_setting_that_makes_it_another_method_is_refused(name, override):
    with pytest.raises(ConfigurationError, match=f"'{override}': {name} is the method with learner"):
        experiment("split-digits", name, override)


@pytest.mark.parametrize(
    "source, override, message",
    [
        ("split-digits", "seed=3", "'seed=3': seed differs from run to run; choose with --seeds"),
        ("split-digits", "learner.method=si", "'learner.method=si': learner.method .* choose with --methods"),
        ("split-digits", "learner={method: si}", "learner differs from run to run; choose with --methods"),
        ("split-mnist-ewc", "seeds=3", "split-mnist-ewc cannot be run"),
        ("split-mnist-ewc", "device=cpu", "experiment of the method ewc; name one .* Did you mean 'split-mnist'"),
        ("permuted-mnist-10-dgr", "device=cpu", "of the method replay; .* Did you mean 'permuted-mnist-10'"),
        ("split-digit", "device=cpu", "no preset 'split-digit'. Did you mean 'split-digits'"),
    ],
)
def test_what_cannot_be_a_base_has_its_message(source, override, message):
    with pytest.raises(ConfigurationError, match=message):
        base_of(source, [override])


def test_methods_are_chosen_by_name_once_each_in_that_order():
    assert [method.name for method in choose(["si", "hnet", "si"], "class")] == ["si", "hnet"]
    assert [method.name for method in choose([], "task")] == list(METHODS)
    assert [method.name for method in choose([], "class")] == [name for name in METHODS if name != "from-scratch"]
    assert left_out("task") == []
    (reason,) = left_out("domain")
    assert reason == "from-scratch answers only where the scenario is task, not domain"


@pytest.mark.parametrize(
    "name, message",
    [
        ("ecw", r"--methods: there is no method 'ecw'\. Did you mean 'ewc'\? Methods: hnet, hnet-unprotected, "),
        ("from-scratch", "--methods: from-scratch answers only where the scenario is task, not class; leave it out"),
    ],
)
def test_a_method_that_cannot_be_chosen_has_its_message(name, message):
    with pytest.raises(ConfigurationError, match=message):
        choose(["hnet", name], "class")


def test_a_run_for_each_method_and_seed():
    base = base_of("split-digits", ["scenario=class", "training.iterations=3"])
    runs = plan(base, choose(["hnet", "ewc"], "class"), 2)
    assert [run.name for run in runs] == ["hnet-seed0", "ewc-seed0", "hnet-seed1", "ewc-seed1"]
    assert {run.scenarios for run in runs} == {("class",)}
    assert runs[0].settings == ("scenario=class", "training.iterations=3")


def test_a_setting_that_one_method_lacks_is_refused_before_anything_runs():
    base = base_of("split-digits", ["learner.beta=1"])
    assert plan(base, choose(["hnet", "hnet-tir"], "task"))
    with pytest.raises(ConfigurationError) as caught:
        plan(base, choose(["hnet", "si"], "task"))
    first, *_, last = str(caught.value).splitlines()
    assert first == "si: split-digits cannot be run."
    assert last.endswith("leave it out, or name methods that have it with --methods.")


def test_figures_are_over_finished_seeds():
    base = base_of("split-digits")
    methods = choose(["si", "hnet"], "task")
    summary = {
        "measure": "accuracy",
        "scenario_accuracy": {"task": 0.85},
        "accuracy": [[0.9, None, None], [0.8, 0.7, None], [0.6, 0.5, 1.0]],
        "average_accuracy": 0.7,
        "forgetting": 0.25,
        "iterations": 600,
        "learning_seconds": 1.2,
        "memory_bytes": [1000, 1500, 2400],
        "num_weights": 250,
    }
    better = summary | {"average_accuracy": 0.8, "forgetting": 0.15, "learning_seconds": 2.4}
    zero, other, one = (run for run in plan(base, methods, 2) if run.name != "hnet-seed1")
    outcomes = [
        Outcome(one, "finished", summary=better),
        Outcome(other, "failed"),
        Outcome(zero, "reused", summary=summary),
    ]
    si, hnet = compare(base, methods, outcomes, 2).methods
    assert si.average == pytest.approx(Spread(75, 5))
    assert si.forgetting == pytest.approx(Spread(20, 5))
    assert si.milliseconds == pytest.approx(3)
    assert (si.memory, si.memory_per_task, si.num_weights) == (2400, 700, 250)
    assert si.first_task.tolist() == [[90, 80, 60]] * 2
    assert si.average_so_far[0] == pytest.approx([90, 75, 70])
    assert (si.tuned, hnet.tuned) == (False, True)
    assert hnet.average is hnet.forgetting is hnet.memory is hnet.memory_per_task is hnet.milliseconds is None

    alone = summary | {"accuracy": [[0.9]], "forgetting": None, "memory_bytes": [1000]}
    si, _ = compare(base, methods, [Outcome(zero, "finished", summary=alone)]).methods
    assert si.average == Spread(pytest.approx(70), None)
    assert si.forgetting is si.memory_per_task is None
    assert si.memory == 1000


def test_what_was_not_measured_is_no_number():
    base = base_of("split-digits")
    methods = choose(["hnet"], "task")
    sparse = {"accuracy": [[0.9, None, None], [None, 0.7, None], [0.6, 0.5, 1.0]]}
    (hnet,) = compare(base, methods, [Outcome(plan(base, methods)[0], "finished", summary=sparse)]).methods
    assert hnet.first_task[0] == pytest.approx([90, float("nan"), 60], nan_ok=True)
    assert hnet.average_so_far[0] == pytest.approx([90, float("nan"), 70], nan_ok=True)


def test_changes_are_those_of_what_is_learned():
    base = base_of("split-digits", ["scenario=class", "device=cpu", "training.iterations=3"])
    assert compare(base, [], []).changes == ("training.iterations=3",)
