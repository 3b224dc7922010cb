"""Learners in several threads: each answers and learns as in one."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners import ContinualLearner
from hypermnesia.training.turn import Turn
from tests.methods import COUNT, ONE_EACH, Case, answers
from tests.nested import equal, snapshot

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request) -> Case:
    """Each method."""
    return request.param


def beside(action: Callable[[], object], meanwhile: Callable[[], object]) -> list[object]:
    """Do something in this thread, and something else again and again in another; what the other found."""
    found, done = [], threading.Event()

    def again_and_again() -> None:
        while not done.is_set():
            found.append(meanwhile())

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(again_and_again)
        try:
            action()
        finally:
            done.set()
        other.result()
    return found


def test_answers_in_several_threads_are_those_in_one(case):
    learner, tasks = case.learned.learner, range(len(case.tasks))
    inputs = case.inputs
    known = [*tasks, *([] if learner.scenarios == ("task",) else [None])]
    right = {task: learner.predict(inputs, task).outputs for task in known}

    def wrong(task: int | None) -> int:
        return sum(not equal(learner.predict(inputs, task).outputs, right[task]) for _ in range(25))

    with ThreadPoolExecutor(len(known)) as pool:
        assert list(pool.map(wrong, known)) == [0] * len(known)


def test_answers_beside_learning_are_those_between_two_steps_and_change_nothing(case):
    learner, inputs = case.make(), case.inputs
    learner.learn(case.tasks[0])
    between, asked = [learner.predict(inputs, 0).outputs], threading.Event()

    def ask() -> torch.Tensor:
        outputs = learner.predict(inputs, 0).outputs
        asked.set()
        return outputs

    def after_a_step(_) -> None:
        between.append(learner.predict(inputs, 0).outputs)
        asked.clear()
        asked.wait()

    found = beside(lambda: learner.learn(case.tasks[1], monitor=after_a_step), ask)
    between.append(learner.predict(inputs, 0).outputs)
    assert len(found) >= 4
    # Not bit for bit: a head that has grown is multiplied in another order.
    assert all(any(torch.allclose(outputs, one, atol=1e-6) for one in between) for outputs in found)
    assert equal(learner.state_dict(), case.learned.states[2])


@pytest.mark.slow
def test_copies_made_beside_learning_go_on_alike(case):
    learner, copies = case.make(), []
    learner.learn(case.tasks[0])

    def after_a_step(progress) -> None:
        if progress.iteration == 2:
            with ThreadPoolExecutor(1) as pool:
                copies.append(pool.submit(copy.deepcopy, learner).result())

    learner.learn(case.tasks[1], monitor=after_a_step)
    [made] = copies
    assert made.in_progress == 2
    made.learn(case.tasks[1])
    assert equal(made.state_dict(), learner.state_dict())


@pytest.mark.slow
def test_two_learn_in_two_threads_as_each_does_alone(case):
    def learned(learner: ContinualLearner) -> list[object]:
        for task in case.tasks[:2]:
            learner.learn(task)
        return [snapshot(learner.state_dict()), answers(learner, case.tasks)]

    alone = [learned(case.make(seed=seed)) for seed in (0, 1)]
    together = [case.make(seed=seed) for seed in (0, 1)]
    state = torch.random.get_rng_state()
    with ThreadPoolExecutor(2) as pool:
        assert equal(list(pool.map(learned, together)), alone)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_one_learner_learns_one_task_at_a_time():
    case = ONE_EACH[0]
    learner, refused = case.make(), []

    def after_a_step(_) -> None:
        with ThreadPoolExecutor(1) as pool:
            refused.append(pool.submit(learner.learn, case.tasks[1]).exception())

    learner.learn(case.tasks[0], monitor=after_a_step)
    assert all(isinstance(error, ConfigurationError) and "at this moment" in str(error) for error in refused)
    assert equal(learner.state_dict(), case.learned.states[1])


def test_whoever_waits_for_a_turn_gets_it_before_one_who_asks_again():
    turn, started, times = Turn(), threading.Event(), []

    def again_and_again() -> None:
        while not times:
            with turn:
                started.set()

    def once() -> None:
        started.wait()
        with turn:
            times.append(1)

    with ThreadPoolExecutor(2) as pool:
        for task in (pool.submit(again_and_again), pool.submit(once)):
            task.result()
    assert times == [1]


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_a_shuffled_loader_draws_by_the_learners_seed_also_in_what_goes_on(stop):
    case = ONE_EACH[0]
    inputs, labels = next(case.tasks[0].train.in_order(COUNT))

    def loader() -> DataLoader:
        return DataLoader(TensorDataset(inputs, labels), batch_size=6, shuffle=True)

    def after_a_step(progress) -> None:
        if progress.iteration == stop:
            raise KeyboardInterrupt

    training = {"iterations": 8, "batch_size": 6}
    whole, stopped = (case.make(training=training) for _ in range(2))
    torch.manual_seed(1)
    whole.learn(loader())
    torch.manual_seed(2)
    with pytest.raises(KeyboardInterrupt):
        stopped.learn(loader(), monitor=after_a_step)
    stopped.learn(loader())
    assert equal(stopped.state_dict(), whole.state_dict())
    other = case.make(training=training, seed=3)
    other.learn(loader())
    assert not equal(other.state_dict(), whole.state_dict())
