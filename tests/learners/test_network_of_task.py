"""A task's network, which answers as the learner does and does not need it."""

import copy

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError
from hypermnesia.training.kept import KeptNetworks
from tests.methods import CASES, ONE_EACH, OUTPUTS, Case, network
from tests.nested import equal, snapshot
from tests.stopping import Stopped, stop_at

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request) -> Case:
    """Each method."""
    return request.param


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_answers_as_predict_does_bit_for_bit(case):
    learner, inputs = case.learned.learner, case.inputs
    for number, task in enumerate(learner.tasks):
        made = learner.network(task.name)
        assert not any(part.training for part in made.modules())
        with torch.no_grad():
            for given in (inputs, inputs[:1]):
                assert torch.equal(made(given), learner.predict(given, number).outputs)


def test_its_state_fits_the_modules_own_class(case):
    learner, inputs = case.learned.learner, case.inputs
    made = learner.network(1)
    fresh = network(seed=9)
    if (outputs := made(inputs).shape[1]) != OUTPUTS:
        fresh[-1] = nn.Linear(fresh[-1].in_features, outputs)
    fresh.load_state_dict(made.state_dict(), strict=True)
    assert torch.equal(fresh.eval()(inputs), made(inputs))


def test_neither_changes_the_other(case):
    learner, inputs = case.make(), case.inputs
    learner.learn(case.tasks[0])
    made, other = learner.network(0), learner.network(0)
    with torch.no_grad():
        for tensor in [*other.parameters(), *other.buffers()]:
            tensor.zero_()
        answer, right = made(inputs), learner.predict(inputs, 0).outputs
        assert torch.equal(answer, right)
        learner.learn(case.tasks[1])
        assert torch.equal(made(inputs), answer)
    assert equal(learner.state_dict(), case.learned.states[2])


@pytest.mark.slow
def test_answers_are_of_the_newest_weights_whatever_happened_since(case, tmp_path):
    """What is kept for the next answer is dropped by everything that changes it."""
    learner, inputs = case.make(), case.inputs

    def is_right(reference: hm.ContinualLearner | None = None) -> bool:
        # Loaded from a file, nothing is kept yet.
        learner.save(tmp_path / "file")
        fresh = reference or case.kind.load(tmp_path / "file", network(3))
        known = range(learner.num_tasks + (learner.in_progress is not None))
        there = [number for number in known if number >= learner.num_tasks or not learner.tasks[number].forgotten]
        return all(torch.equal(learner.predict(inputs, n).outputs, fresh.predict(inputs, n).outputs) for n in there)

    learner.learn(case.tasks[0], monitor=lambda _: is_right() or pytest.fail("amid the first task"))
    assert is_right()
    first = snapshot(learner.state_dict())
    with pytest.raises(Stopped):
        learner.learn(case.tasks[1], monitor=stop_at(2))
    assert is_right()
    learner.abandon()
    assert is_right()
    learner.learn(case.tasks[1])
    assert is_right()
    if learner.relearns:
        learner.relearn(case.tasks[0], 0)
        assert is_right()
    if learner.forgets:
        learner.forget(0)
        assert is_right()
    learner.load_state_dict(first)
    learner.recall(case.tasks[:1])
    assert is_right()


def test_there_is_none_of_a_task_that_is_not_known(case):
    with pytest.raises(ConfigurationError, match="there is no task 7"):
        case.learned.learner.network(7)


def test_there_is_none_where_what_follows_the_head_needs_all_outputs():
    module = nn.Sequential(nn.Linear(2, 4), nn.LogSoftmax(1))
    learner = hm.FineTuningLearner(module, scenario="task", training={"iterations": 2})
    inputs, labels = torch.eye(2), torch.tensor([0, 1])
    learner.learn((inputs, labels))
    assert torch.equal(learner.network(0)(inputs), learner.predict(inputs, 0).outputs)
    learner.learn((inputs, labels))
    assert learner.predict(inputs, 0).outputs.shape == (2, 2)
    with pytest.raises(ConfigurationError, match="something comes after the head"):
        learner.network(0)


def test_networks_are_kept_within_bounds():
    made = []

    def make(task: int) -> tuple[nn.Module, int]:
        made.append(task)
        return nn.Identity(), 10

    kept = KeptNetworks(make, at_most=25)
    for task in (0, 1, 0, 2, 0, 1):  # 2 takes the place of 1, and then 1 that of 2
        kept.of(task)
    assert made == [0, 1, 2, 1]
    assert kept.num_bytes == 20
    for _ in range(2):
        for task in range(4):
            kept.of(task, one_of_all=True)
    assert made[4:] == [2, 3, 2, 3]
    kept.clear()
    assert kept.num_bytes == 0


def test_a_network_is_made_once_and_shares_what_no_task_has_of_its_own():
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    learner = hm.HypernetworkLearner(module, chunk_size=4, shared=("0.*",), training={"iterations": 2})
    learner.learn((torch.rand(4, 3), torch.arange(4) % 2))
    learner.predict(torch.rand(1, 3), 0)
    kept = learner._network.network_of(0)
    assert kept is learner._network.network_of(0)
    assert kept[0].weight is learner._module[0].weight
    assert learner._network.kept.num_bytes == 4 * (4 * 2 + 2)
    assert copy.deepcopy(learner).predict(torch.ones(1, 3), 0).outputs.shape == (1, 2)
