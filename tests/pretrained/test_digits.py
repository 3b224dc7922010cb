"""Networks trained on one half of the digits, and protected for other tasks."""

import copy
import functools

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import hypermnesia as hm

Pair = tuple[Tensor, Tensor]


def chosen(*classes: int) -> tuple[Pair, Pair]:
    """Images of these digits, labeled from 0: for training and, every fifth, for testing."""
    digits = load_digits()
    images, labels = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32), torch.tensor(digits.target)
    of_these = torch.isin(labels, torch.tensor(classes))
    inputs = images[of_these]
    labels = torch.tensor([classes.index(label) for label in labels[of_these].tolist()])
    test = torch.arange(len(labels)) % 5 == 0
    return (inputs[~test], labels[~test]), (inputs[test], labels[test])


def others() -> list[hm.Task]:
    """The digits that the network has not seen, in pairs."""
    pairs = ((5, 6), (7, 8), (9, 5))
    return [hm.Task.of(train, test=test, name=str(pair)) for pair in pairs for train, test in [chosen(*pair)]]


def moved() -> list[hm.Task]:
    """The digits that the network knows, in other places."""
    train, test = chosen(0, 1, 2, 3, 4)
    return [
        hm.Task.of((train[0].roll(by, along), train[1]), test=(test[0].roll(by, along), test[1]), name=f"{by} {along}")
        for by, along in ((1, 3), (-1, 2), (-1, 3))
    ]


@functools.cache
def pretrained(*, normalized: bool = False) -> nn.Sequential:
    """A small convolutional network that tells the digits from 0 to 4 apart."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16) if normalized else nn.Identity(),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 5),
    )
    (inputs, labels), _ = chosen(0, 1, 2, 3, 4)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return network


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "batch normalization"])
def network(request) -> nn.Sequential:
    return pretrained(normalized=request.param)


def test_the_first_step_starts_from_the_network_as_it_is(network):
    task = others()[0]
    inputs, labels = next(task.train.in_order(1000))
    steps: list[dict[str, float]] = []
    learner = hm.HypernetworkLearner(network, training={"iterations": 2, "batch_size": len(labels)})
    learner.learn(task, monitor=lambda p: steps.append({name: float(s) for name, s in p.scalars.items()}))
    expected = functional.cross_entropy(copy.deepcopy(network).train()(inputs), labels).item()
    assert steps[0]["loss"] == pytest.approx(expected, rel=1e-5)
    assert steps[1]["loss"] < steps[0]["loss"]


def test_the_answers_start_as_those_of_the_network(network):
    # One step that moves next to nothing.
    learner = hm.HypernetworkLearner(network, training={"iterations": 1, "learning_rate": 1e-12})
    learner.learn(others()[0])
    inputs, _ = chosen(0, 1, 2, 3, 4)[1]
    alone = copy.deepcopy(network)
    if isinstance(network[1], nn.BatchNorm2d):  # whose statistics are the task's
        of_task = learner.state_dict()["parts"]["network"]["of_task"][0]
        alone.load_state_dict({**alone.state_dict(), **of_task})
    torch.testing.assert_close(learner.predict(inputs, task=0).outputs, alone.eval()(inputs).detach())


def test_the_other_digits_are_learned_and_remembered(network):
    learner = hm.HypernetworkLearner(network, own=("8.*",), own_start="drawn", training={"iterations": 120})
    accuracies = hm.learn_sequence(learner, others())
    assert accuracies[-1].min() > 0.93
    assert hm.evaluation.forgetting(accuracies) < 0.03


def test_statistics_are_kept_for_each_task_and_start_at_those_of_the_network():
    network = pretrained(normalized=True)
    learner = hm.HypernetworkLearner(network, training={"iterations": 5, "learning_rate": 1e-5})
    hm.learn_sequence(learner, moved())
    statistics = [of_task["1.running_mean"] for of_task in learner.state_dict()["parts"]["network"]["of_task"]]
    assert len(statistics) == 3
    assert not torch.equal(statistics[0], statistics[1])
    # Five steps keep 0.9⁵ of what was there.
    inputs, _ = next(moved()[0].train.in_order(1000))
    of_moved = network[0](inputs).mean((0, 2, 3))
    distance = (statistics[0] - network[1].running_mean).norm() / (of_moved - network[1].running_mean).norm()
    assert 0.2 < distance < 0.8


@pytest.mark.parametrize("learning_rate", [1e-3, 1e-2])
def test_what_the_network_knows_already_takes_fewer_steps_than_from_zero(learning_rate):
    training = {"iterations": 10, "learning_rate": learning_rate}
    learners = [
        hm.HypernetworkLearner(pretrained(), start=start, compression=1, training=training)
        for start in ("module", "zero")
    ]
    from_network, from_zero = (hm.learn_sequence(learner, moved())[-1].mean() for learner in learners)
    assert from_network > from_zero + 0.15
