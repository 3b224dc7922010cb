"""Learning a sequence: the same figures as a run, from the library alone."""

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.evaluation import sequence
from hypermnesia.evaluation.progress import ProgressDisplay
from hypermnesia.evaluation.sequence import learn_sequence
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.experiments.single_run.environment import threads
from hypermnesia.experiments.single_run.run import run
from hypermnesia.experiments.single_run.rundir import RunDirectory
from tests.runs import load
from tests.stopping import Stopped, stop_at

SMALL = ["tasks.num_tasks=3", "network.hidden=[16]", "training.iterations=20", "device=cpu"]


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield


def made(method: str = "hnet", *settings: str):
    """A learner and its tasks."""
    more = ["learner.chunk_size=300"] if method == "hnet" else []
    experiment = load("split-digits", [*SMALL, *more, *settings], method)
    tasks = build_tasks(experiment)
    return experiment, build_learner(experiment, tasks), tasks


@pytest.mark.parametrize(("method", "scenario"), [("hnet", "class"), ("ewc", "domain"), ("separate", "task")])
def test_the_matrix_is_that_of_a_run_of_the_same_experiment(tmp_path, method, scenario):
    experiment, learner, tasks = made(method, f"scenario={scenario}")
    display = ProgressDisplay(Console(), [], ACCURACY, quiet=True)
    summary = run(experiment, build_tasks(experiment), RunDirectory(tmp_path / "run"), display=display)
    np.testing.assert_array_equal(learn_sequence(learner, tasks, scenario=scenario), summary.matrix)


def test_it_goes_on_where_the_learner_was_stopped():
    whole = learn_sequence(*made()[1:])
    _, learner, tasks = made()
    with pytest.raises(Stopped):
        learner.learn(tasks[0], monitor=stop_at(7))
    np.testing.assert_array_equal(learn_sequence(learner, tasks), whole)
    # All is learned already, so what is left is to measure.
    again = learn_sequence(learner, tasks)
    assert np.isnan(again[:-1]).all()
    np.testing.assert_array_equal(again[-1], whole[-1])

    _, learner, tasks = made()
    learner.learn(tasks[0])
    with pytest.raises(Stopped):
        learner.learn(tasks[1], monitor=stop_at(7))
    rest = learn_sequence(learner, tasks)
    assert np.isnan(rest[0]).all()
    np.testing.assert_array_equal(rest[1:], whole[1:])


def test_tasks_that_are_not_those_it_has_learned_are_refused():
    """Else they would count as learned, and be asked of the networks of others."""
    _, learner, tasks = made()
    learner.learn(tasks[0])
    before = learner.num_tasks
    for others in (tasks[1:], tasks[::-1], [dataclasses.replace(tasks[0], name="other"), tasks[1]]):
        with pytest.raises(ConfigurationError, match="task 0 of the learner is 'digits 0/1', and of the sequence '"):
            learn_sequence(learner, others)
    assert learner.num_tasks == before


@pytest.mark.parametrize("forgotten", [0, 1])
def test_a_task_that_was_forgotten_is_not_asked(forgotten):
    _, learner, tasks = made()
    for task in tasks[:2]:
        learner.learn(task)
    learner.forget(forgotten)
    matrix = learn_sequence(learner, tasks)
    assert np.isnan(matrix[-1]).tolist() == [number == forgotten for number in range(3)]
    assert learner.num_tasks == 3
    for number in range(2):
        if number != forgotten:
            learner.forget(number)
    assert np.isnan(learn_sequence(learner, tasks[:2], progress=True)).all()


def test_without_a_scenario_it_is_the_first_that_the_learner_answers_in():
    by_default, asked, others = (learn_sequence(*made()[1:], scenario=name) for name in (None, "task", "class"))
    np.testing.assert_array_equal(by_default, asked)
    assert (others[-1] < asked[-1]).any()


def test_a_scenario_in_which_the_learner_does_not_answer_is_refused():
    _, learner, tasks = made("separate")
    with pytest.raises(ConfigurationError, match="class"):
        learn_sequence(learner, tasks, scenario="class")


def test_a_task_without_test_examples_is_refused_before_anything_is_learned():
    _, learner, tasks = made()
    tasks[2] = dataclasses.replace(tasks[2], test=None)
    with pytest.raises(DataError, match="task 'digits 4/5' has no test examples to measure on"):
        learn_sequence(learner, tasks)
    assert (learner.num_tasks, learner.in_progress) == (0, None)


def test_a_bar_is_shown_on_a_terminal_unless_it_is_not_wanted_and_nothing_elsewhere(monkeypatch, capfd):
    learn_sequence(*made()[1:])
    assert capfd.readouterr() == ("", "")
    for progress in (True, False):
        screen = io.StringIO()
        monkeypatch.setattr(sequence, "Console", lambda screen=screen: Console(file=screen, force_terminal=True))
        learn_sequence(*made()[1:], progress=progress)
        shown = screen.getvalue()
        for said in ("task 1/3 (digits 0/1)", "task 3/3 (digits 4/5)", "test accuracy", "\x1b["):
            assert (said in shown) == progress
