"""Benchmarks: which experiment each method has, from presets and from files of one's own."""

import pickle

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.benchmark import load_benchmark, load_experiment
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.learners import METHODS
from tests.runs import load

REGRESSION = "toy-regression"
SMALL = {"network.hidden": [8], "tasks.num_tasks": 2, "training.iterations": 2, "device": "cpu"}


def scenarios(preset: str) -> list[str]:
    return ["task", "domain"] if preset == REGRESSION else ["task", "domain", "class"]


@pytest.fixture
def file(tmp_path):
    """Write a file of one's own, called mine.yaml; returns its path."""

    def write(**values) -> str:
        given = {key: value for key, value in sources.read_settings("split-digits").items() if key != "name"} | values
        path = tmp_path / "mine.yaml"
        path.write_text(sources.dump({key: value for key, value in given.items() if value is not None}))
        return str(path)

    return write


@pytest.mark.parametrize("preset", sources.preset_names())
@pytest.mark.parametrize("method", METHODS)
def test_every_preset_and_method_is_an_experiment_and_survives_being_written_out(tmp_path, preset, method):
    default = load_benchmark(preset).default
    for scenario in scenarios(preset):
        experiment = load_experiment(preset, {"scenario": scenario}, method)
        assert experiment == load_experiment(preset, {"scenario": scenario, "learner.method": method})
        assert (experiment.learner.method, experiment.scenario) == (method, scenario)
        assert experiment.name == (preset if method == default else f"{preset}-{method}")
        (tmp_path / "written.yaml").write_text(experiment.to_yaml())
        assert load_experiment(str(tmp_path / "written.yaml")) == experiment
        assert pickle.loads(pickle.dumps(experiment)) == experiment


@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
def test_every_method_can_be_made_and_answers_where_it_says(scenario):
    tasks = build_tasks(load_experiment("split-digits", SMALL))
    for name, method in METHODS.items():
        experiment = load_experiment("split-digits", {**SMALL, "scenario": scenario}, name)
        if scenario in method.scenarios:
            assert scenario in build_learner(experiment, tasks).scenarios, name
        else:
            with pytest.raises(ConfigurationError, match=f"{name} answers only where the scenario is"):
                build_learner(experiment, tasks)


@pytest.mark.parametrize("source", ["split-digits", "split-mnist", "permuted-mnist-10"])
def test_no_two_methods_are_the_same_and_all_have_the_same_tasks_and_network(source):
    experiments = [load_experiment(source, {"scenario": "task"}, name) for name in METHODS]
    without_name = {each.learner.model_dump_json(exclude={"method"}) for each in experiments}
    kinds = {METHODS[each.learner.method].learner for each in experiments}
    assert len(without_name) >= len(kinds)
    assert len({each.learner.model_dump_json() for each in experiments}) == len(METHODS)
    for each in experiments[1:]:
        for section in ("data", "tasks", "network", "scenario"):
            assert getattr(each, section) == getattr(experiments[0], section), (each.name, section)


@pytest.mark.parametrize("changes", [{"learner.method": "ewcc"}, {"learner": {"method": "ewcc"}}, {}])
def test_an_unknown_method_has_its_message(changes):
    message = r"^There is no method 'ewcc'\. Did you mean 'ewc'\? Methods: hnet, .*, der-plus-plus\.$"
    with pytest.raises(ConfigurationError, match=message):
        load_experiment("split-digits", changes, None if changes else "ewcc")


@pytest.mark.parametrize("method", [3, ["ewc"], {"ewc": 1}, True])
def test_a_method_that_is_no_name_has_its_message_too(file, method):
    with pytest.raises(ConfigurationError, match="There is no method "):
        load_experiment("split-digits", {"learner.method": method})
    with pytest.raises(ConfigurationError, match=r"mine\.yaml: there is no method "):
        load_experiment(file(methods=None, learner={"method": method}))


def test_a_section_learner_names_the_method_too():
    by_option = load("split-mnist", ["learner.strength=3"], "si")
    assert load("split-mnist", ["learner={method: si, strength: 3}"]) == by_option


OTHERWISE = {
    "beta": 1.0,
    "decay": 1.0,
    "si": {},
    "ewc": {},
    "replay.temperature": 3.0,
    "replay.model.kind": {"vae": "gan", "gan": "vae", "self-replaying-vae": "vae"},
}
"""For each place that a method may fix, another value; by the fixed one where the place has several."""
FIXED = [(name, place, allowed) for name, method in METHODS.items() for place, allowed in method.fixed.items()]


@pytest.mark.parametrize(("method", "place", "allowed"), FIXED)
@pytest.mark.parametrize("preset", ["split-digits", "split-mnist"])
def test_what_a_method_fixes_cannot_be_changed(preset, method, place, allowed):
    other = OTHERWISE[place]
    other = other[allowed[0]] if place.endswith("kind") else other
    with pytest.raises(ConfigurationError, match=rf"\nlearner: {place} must be .* for {method}, not .*; leave it out,"):
        load_experiment(preset, {f"learner.{place}": other}, method)
    for value in allowed:
        load_experiment(preset, {f"learner.{place}": value}, method)


def test_some_methods_fix_something():
    assert len(FIXED) > 5


@pytest.mark.parametrize("source", ["split-mnist", "split-digits"])
def test_what_tells_variants_apart(source):
    def learner(method):
        return load_experiment(source, method=method).learner

    assert learner("hnet-unprotected").beta == learner("from-scratch").beta == 0
    assert learner("ewc").decay is None
    assert learner("online-ewc").decay == 1
    for name, temperature in (("dgr", None), ("dgr-distill", 2)):
        replay = learner(name).replay
        assert (replay.temperature, replay.weight, replay.model.kind) == (temperature, "equal", "self-replaying-vae")
    assert learner("hnet-r").replay.model.kind == "vae"
    assert learner("hnet-r-gan").replay.model.kind == "gan"


def test_strengths_of_a_scenario_are_those_that_the_benchmark_has_for_it():
    strengths = {
        scenario: load_experiment("split-mnist", {"scenario": scenario}, "si").learner.strength
        for scenario in ("task", "domain", "class")
    }
    assert strengths == {"task": 10, "domain": 50000, "class": 5000}
    # What is asked for goes before what the scenario has.
    changes = {"scenario": "domain", "learner.strength": 3}
    assert load_experiment("split-mnist", changes, "si").learner.strength == 3


def test_a_method_without_settings_of_its_own_has_those_of_the_hypernetwork_it_is_based_on():
    base = load_experiment("permuted-digits").learner
    for name in [name for name, method in METHODS.items() if method.based_on == "hnet"]:
        learner = load_experiment("permuted-digits", method=name).learner
        own = METHODS[name].settings
        for key in type(base).model_fields.keys() - {"method"} - own.keys():
            if key in type(learner).model_fields:
                assert getattr(learner, key) == getattr(base, key), (name, key)
    assert load_experiment("permuted-digits", method="si").learner.model_dump() == {
        "method": "si",
        "strength": 1,
        "damping": 0.1,
    }


def test_a_file_may_have_methods_as_presets_do(file):
    source = file(methods={"si": {"learner": {"strength": 7}}, "hnet": None})
    assert (load_benchmark(source).default, load_experiment(source).name) == ("si", "mine")
    assert load_experiment(source).learner.strength == 7
    assert load_experiment(source, method="hnet").name == "mine-hnet"
    own = load_experiment(source, method="hnet-tir").learner
    assert own.chunk_size == load_experiment(source, method="hnet").learner.chunk_size


def test_a_file_may_have_one_learner_which_others_are_compared_with(file):
    learner = {"method": "hnet", "chunk_size": 123, "beta": 0.5}
    by_scenario = {"class": {"learner.beta": 7}}
    source = file(methods=None, learner=learner, by_scenario=by_scenario)
    assert list(load_benchmark(source).methods) == ["hnet"]
    assert load_experiment(source).learner.beta == 0.5
    for method in ("hnet", "hnet-tir"):
        found = load_experiment(source, {"scenario": "class"}, method).learner
        assert (found.beta, found.chunk_size) == (7, 123)
    assert load_experiment(source, method="ewc").learner.strength == METHODS["ewc"].learner.Settings().strength


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learner": {"method": "si"}}, "give either methods, with settings of each, or a learner"),
        ({"methods": None}, r"needs a learner, as in 'learner: \{method: hnet\}', or methods"),
        ({"methods": {}}, "needs a learner, as in"),
        ({"methods": ["hnet"]}, "needs a learner, as in"),
        ({"methods": None, "learner": {"beta": 1}}, "cannot be run.\nlearner.method: missing. Methods: hnet, "),
        ({"methods": None, "learner": "si"}, "cannot be run.\nlearner.method: missing. Methods: hnet, "),
        ({"methods": {"sii": {}}}, "there is no method 'sii'. Did you mean 'si'"),
        ({"methods": {"si": 3}}, "methods.si must hold settings"),
        ({"methods": {"si": {"by_scenario": 3}}}, "by_scenario must hold settings for scenarios"),
        ({"methods": {"si": {"by_scenario": {"task": 3}}}}, "by_scenario must hold settings for scenarios"),
        ({"methods": {"si": {"by_scenario": {"clas": {}}}}}, "by_scenario knows .*, not 'clas'. Did you mean 'class'"),
        *(
            ({"methods": {"si": {"by_scenario": {"task": own}}}}, f"by_scenario.task cannot set {place.strip()}, which")
            for place, own in {
                "learner.method": {"learner.method": "ewc"},
                "learner.method ": {"learner": {"method": "ewc"}},
                "name": {"name": "other"},
                "seed": {"seed": 3},
                "scenario": {"scenario": "class"},
                "methods": {"methods": {"ewc": {}}},
                "methods ": {"methods.ewc.learner.strength": 3},
                "by_scenario": {"by_scenario": {"task": {}}},
            }.items()
        ),
        *(
            ({"methods": {"si": own}}, f"methods.si cannot set {place.strip()}, which")
            for place, own in {
                "learner.method": {"learner": {"method": "ewc"}},
                "name": {"name": "other"},
                "seed": {"seed": 3},
                "methods": {"methods": {}},
            }.items()
        ),
        ({"methods": {"si": {"learner": 3}}}, "methods.si must hold settings"),
        ({"methods": {"si": {"lerner": {}}}}, "lerner: unknown setting. Did you mean 'learner'"),
        (
            {"methods": {"si": {"learner": {"strenght": 3}}}},
            "learner.strenght: unknown setting. Did you mean 'strength'",
        ),
    ],
)
def test_a_file_that_is_no_benchmark_has_its_message(file, values, message):
    with pytest.raises(ConfigurationError, match=f"mine.yaml(.*\n)*.*{message}") as caught:
        load_experiment(file(**values))
    assert "pydantic" not in str(caught.value)


def test_a_change_takes_with_it_what_was_for_the_value_that_it_replaces():
    """As another kind does; what is given beside it is another matter."""
    assert load("cifar-zenkenet").training.betas == (0.5, 0.999)
    assert load("cifar-zenkenet", ["training.optimizer=sgd"]).training.betas == (0.9, 0.999)
    assert load("permuted-mnist-250", ["learner.beta=0"]).learner.max_tasks is None
    assert load("permuted-mnist-250", [], "hnet-unprotected").learner.max_tasks is None
    for method, changes in (("hnet", ["learner.beta=0", "learner.max_tasks=3"]), ("hnet-ewc", ["learner.max_tasks=3"])):
        with pytest.raises(ConfigurationError, match=r"learner\.max_tasks: has an effect only where beta is not 0"):
            load("permuted-mnist-250", changes, method)


def test_a_file_whose_settings_have_no_effect_is_refused(file):
    with pytest.raises(ConfigurationError, match=r"training\.momentum: has an effect only where optimizer is sgd"):
        load_experiment(file(training={"momentum": 0.9}))
    with pytest.raises(
        ConfigurationError, match=r"learner\.hidden|learner\.activation: has an effect only where hidden"
    ):
        load_experiment(file(methods={"hnet": {"learner": {"hidden": [], "activation": "elu"}}}))


def test_two_methods_are_refused():
    with pytest.raises(ConfigurationError, match="ewc and si are named; name one of them"):
        load_experiment("split-digits", {"learner.method": "ewc"}, "si")
