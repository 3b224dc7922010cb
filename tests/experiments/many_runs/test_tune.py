"""Tuning: what is searched, that it goes on where it stopped, and that test data play no part."""

import concurrent.futures
import dataclasses
import multiprocessing

import optuna
import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.many_runs import search as declared
from hypermnesia.experiments.many_runs import tune as module
from hypermnesia.experiments.many_runs.cluster import Cluster
from hypermnesia.experiments.many_runs.processes import Processes
from hypermnesia.experiments.many_runs.search import Search, search_space
from hypermnesia.experiments.many_runs.study import STUDY, open_study
from hypermnesia.experiments.many_runs.tune import TUNED, tune
from hypermnesia.settings import SearchRange
from tests.runs import load

SHORT = ["training.iterations=6", "tasks.num_tasks=2", "threads=1", "device=cpu"]


def search(directory, trials=3, *overrides, **options) -> Search:
    replaced = {override.partition("=")[0] for override in overrides}
    own = [each for each in SHORT if each.partition("=")[0] not in replaced]
    return Search(load("split-digits", [*own, *overrides]), directory, trials, **options)


@pytest.mark.parametrize(
    "method, places",
    [
        ("hnet", ["learner.beta", "training.learning_rate"]),
        ("online-ewc", ["learner.strength", "training.learning_rate"]),
        ("hnet-unprotected", ["training.learning_rate"]),
        ("der-plus-plus", ["learner.alpha", "learner.beta", "training.learning_rate"]),
        ("der", ["learner.alpha", "training.learning_rate"]),
        ("si", ["learner.strength", "learner.damping", "training.learning_rate"]),
        ("hnet-r", ["learner.replay.model.hypernetwork.beta", "training.learning_rate"]),
        ("hnet-likelihood", ["learner.beta", "learner.likelihood.hypernetwork.beta", "training.learning_rate"]),
    ],
)
def test_each_method_declares_what_is_searched(method, places):
    experiment = load("split-mnist", [], method)
    assert list(search_space(experiment)) == places
    assert all(where.low < where.high for where in search_space(experiment).values())


def test_the_best_trial_is_ready_to_run(tmp_path):
    trials = tune(search(tmp_path))
    assert len(trials) == 3 and trials[0].average == max(trial.average for trial in trials)
    tuned = load(str(tmp_path / TUNED))
    assert (tuned.learner.beta, tuned.training.learning_rate) == pytest.approx(
        (trials[0].settings["learner.beta"], trials[0].settings["training.learning_rate"])
    )
    # Nothing else is changed: not what is set aside for validation either.
    same = {"name": "x", "description": "x", "learner": tuned.learner, "training": tuned.training}
    assert tuned.model_copy(update=same) == search(tmp_path).experiment.model_copy(update=same)
    assert tuned.name == "split-digits-tuned"
    # That of the preset may claim settings which these are not any more.
    assert "learner.beta, training.learning_rate tuned" in tuned.description


def test_the_experiments_own_settings_come_first(tmp_path):
    (trial,) = tune(search(tmp_path, 1))
    assert trial.settings == {"learner.beta": 10, "training.learning_rate": 1e-3}


def test_a_search_goes_on_where_it_stopped(tmp_path):
    first = tune(search(tmp_path, 2))
    assert tune(search(tmp_path, 2)) == first
    more = tune(search(tmp_path, 4))
    assert len(more) == 4 and all(trial in more for trial in first)


def test_a_search_that_was_stopped_finds_what_an_uninterrupted_one_does(tmp_path):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    stopped.mkdir(), whole.mkdir()
    tune(search(stopped, 2))
    resumed = tune(search(stopped, 4))
    assert resumed == tune(search(whole, 4))
    assert len({tuple(trial.settings.items()) for trial in resumed}) == 4


def test_a_trial_that_was_under_way_when_the_process_was_killed_does_not_count(tmp_path):
    tune(search(tmp_path, 1))
    study = optuna.load_study(study_name="tune", storage=f"sqlite:///{tmp_path / STUDY}")
    study.ask()
    states = [trial.state for trial in tune(search(tmp_path, 3))]
    assert sorted(states) == ["complete", "complete", "complete", "fail"]


@pytest.mark.parametrize("wanted, environment, threads", [(3, "2", 3), (None, "2", 2), (None, None, 1)])
def test_threads_are_those_of_the_experiment_or_else_of_the_environment(
    tmp_path, monkeypatch, wanted, environment, threads
):
    numbers = []
    monkeypatch.setattr(module.torch, "set_num_threads", numbers.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if environment:
        monkeypatch.setenv("OMP_NUM_THREADS", environment)
    tune(search(tmp_path, 1, f"threads={'null' if wanted is None else wanted}"))
    assert numbers[-1] == threads


def test_it_is_told_when_a_trial_starts_and_how_it_ends(tmp_path):
    told = []
    trials = tune(search(tmp_path), told=told.append)
    for trial in trials:
        running = dataclasses.replace(trial, average=None, state="running")
        assert [each for each in told if each.number == trial.number] == [running, trial]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "cluster"])
def test_two_jobs_share_one_study(tmp_path, engine):
    told = []
    executor = Processes(2) if engine == "processes" else Cluster("local:2", tmp_path)
    trials = tune(search(tmp_path, 2), executor=executor, told=told.append)
    # One may start and end between two looks.
    ended = sorted((trial for trial in told if trial.state != "running"), key=lambda trial: trial.number)
    assert ended == sorted(trials, key=lambda trial: trial.number)
    assert sum(trial.state in ("complete", "pruned") for trial in trials) >= 2
    assert len({tuple(trial.settings.items()) for trial in trials}) == len(trials)
    assert (tmp_path / TUNED).is_file()


def _take_trials(searched: Search, number: int) -> list[int]:
    study = open_study(searched)
    taken = []
    for _ in range(number):
        trial = study.ask()
        study.tell(trial, 1.0)
        taken.append(trial.number)
    return taken


@pytest.mark.slow
def test_no_trial_is_taken_by_two_processes(tmp_path):
    searched, processes, each = search(tmp_path), 4, 12
    study = open_study(searched)
    for number in range(1, processes * each):  # the first are the experiment's own settings
        study.enqueue_trial({"learner.beta": number / 100})
    with concurrent.futures.ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(_take_trials, searched, each) for _ in range(processes)]
        taken = [trial for one in asked for trial in one.result()]
    assert sorted(taken) == list(range(processes * each))


def test_test_data_play_no_part(tmp_path, monkeypatch):
    class Untouchable:
        def __getattr__(self, name):
            raise AssertionError(f"test data were asked for {name}")

    build, made = module.build_tasks, []

    def build_tasks(experiment, data):
        made.append(experiment.tasks.validation)
        tasks = build(experiment, data)
        for task in tasks:
            object.__setattr__(task, "test", Untouchable())
        return tasks

    monkeypatch.setattr(module, "build_tasks", build_tasks)
    for place, validation in (("default", []), ("own", ["tasks.validation=20"])):
        (tmp_path / place).mkdir()
        assert tune(search(tmp_path / place, 1, *validation))[0].average is not None
    assert made == [0.1, 20]


def test_only_some_settings_are_searched(tmp_path):
    trials = tune(search(tmp_path, 2, only=("learner.beta",)))
    assert {tuple(trial.settings) for trial in trials} == {("learner.beta",)}
    with pytest.raises(
        ConfigurationError, match=r"'learner.betta' is not searched. Did you mean 'learner.beta'\? Searched"
    ):
        search(tmp_path, 2, only=("learner.betta",))


def test_a_diverged_trial_is_given_up_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(
        declared, "search_space", lambda experiment: {"training.learning_rate": SearchRange(1e28, 1e30, log=True)}
    )
    trials = tune(search(tmp_path, 2, "training.optimizer=sgd"))
    assert [trial.state for trial in trials] == ["pruned", "pruned"]
    assert not (tmp_path / TUNED).exists()


def test_a_directory_belongs_to_one_search(tmp_path):
    tune(search(tmp_path, 1))
    for other in (search(tmp_path, 1, "seed=1"), dataclasses.replace(search(tmp_path, 1), only=("learner.beta",))):
        with pytest.raises(ConfigurationError, match="holds the search of another experiment"):
            tune(other)


@pytest.mark.parametrize("junk", ["garbage", "a directory"])
def test_what_is_no_study_is_named_and_left_alone(tmp_path, junk):
    file = tmp_path / STUDY
    file.mkdir() if junk == "a directory" else file.write_text("garbage, garbage, garbage " * 100)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        ConfigurationError, match=r"study.db cannot be read as the trials of a search \(.*\): move it away"
    ):
        tune(search(tmp_path, 1))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_trial_that_was_under_way_is_closed_and_its_settings_are_tried_again(tmp_path):
    wanted = search(tmp_path, 2)
    cut_short = open_study(wanted).ask()
    settings = {
        place: cut_short.suggest_float(place, where.low, where.high, log=where.log)
        for place, where in wanted.space.items()
    }
    trials = {trial.number: trial for trial in tune(wanted)}
    assert (trials[0].state, trials[0].settings) == ("fail", settings)
    assert (trials[1].state, trials[1].settings) == ("complete", settings)
    assert len(trials) == 3
