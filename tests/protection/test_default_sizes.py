"""Without any settings, a hypernetwork suits a module of any size, and its first task is learned as by the module."""

import itertools
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError
from hypermnesia.protection import HypernetworkSettings, ProtectedNetwork
from hypermnesia.seeds import Seeds
from hypermnesia.training.settings import TrainingSettings


def network(module, **chosen):
    return ProtectedNetwork(module, HypernetworkSettings(**chosen), TrainingSettings(), Seeds(0))


def notes_of(action):
    with warnings.catch_warnings(record=True, action="always") as caught:
        action()
    return [str(each.message) for each in caught]


@settings(max_examples=25)
@given(
    width=st.one_of(st.integers(1, 40), st.integers(40, 2000), st.integers(2000, 40_000)),
    hidden=st.sampled_from([(20, 20), (), (3,), (64, 100)]),
)
def test_every_size_has_chunks_that_are_few_and_a_readout_that_is_not_too_large(width, hidden):
    made = network(nn.Sequential(nn.Linear(8, width), nn.Linear(width, 2)), hidden=hidden).hypernetwork
    weights, features = made.layout.size, made.readout.shape[0]
    assert made.readout.numel() <= max(4 * weights, 300_000) + features
    fewer = made.num_chunks - 1
    assert fewer == 0 or features * weights / fewer > max(4 * weights, 300_000)
    # Features of any embedding are of the size of one, so that no weight moves much farther than others.
    drawn = made.features(torch.randn(32, made.embedding_dim, generator=torch.Generator().manual_seed(1)))
    assert 0.5 < drawn.square().mean().sqrt() < 2


@pytest.mark.parametrize("width", [16, 64, 256, 400])
def test_small_modules_are_learned_by_default(width):
    learner = hm.HypernetworkLearner(
        nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 2)), training={"iterations": 3}
    )
    inputs = torch.rand(6, 8)
    learner.learn((inputs, torch.arange(6) % 2))
    assert learner.predict(inputs, task=0).outputs.shape == (6, 2)


def test_a_hypernetwork_larger_than_what_it_generates_is_told_of_unless_its_size_was_chosen():
    (note,) = notes_of(lambda: network(nn.Linear(4, 10)))
    assert "times as many weights as the 50 that it generates" in note and "compression" in note
    assert not notes_of(lambda: network(nn.Linear(4, 10), chunk_size="full"))
    assert not notes_of(lambda: network(nn.Linear(4, 10), compression=50))


def test_a_compression_that_was_asked_for_is_kept_or_refused():
    with pytest.raises(ConfigurationError, match="compression 1 cannot be met"):
        network(nn.Linear(4, 10), compression=1)
    assert network(nn.Linear(100, 100), compression=1).hypernetwork.compression <= 1


# Hyperbolic tangents below: of a few rectified units all may die, with any way of learning.
def difference(module, task, training, seed):
    """Accuracy of the hypernetwork on its first task, less that of the module alone."""
    accuracies = []
    for kind in (hm.HypernetworkLearner, hm.SeparateLearner):
        learner = kind(module, training=training, seed=seed)
        learner.learn(task)
        accuracies.append(learner.score(task))
    return accuracies[0] - accuracies[1]


@pytest.mark.parametrize("hidden", [4, 50])
def test_a_first_task_is_learned_as_well_as_by_the_module_alone(hidden):
    (task,) = hm.tasks.split("digits", classes_per_task=10)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.Tanh(), nn.Linear(hidden, 10))
    assert difference(module, task, {"iterations": 100, "learning_rate": 1e-2}, 0) > -0.01


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 8, 50, 200, 600])
def test_a_first_task_is_learned_as_well_as_by_the_module_alone_at_any_size(width):
    (task,) = hm.tasks.split("digits", classes_per_task=10)
    found = []
    for seed in range(3):
        torch.manual_seed(seed)
        widths = [64, width, width, 10] if width >= 200 else [64, width, 10]
        layers = [each for i, o in itertools.pairwise(widths) for each in (nn.Linear(i, o), nn.Tanh())]
        module = nn.Sequential(nn.Flatten(), *layers[:-1])
        training = {"iterations": 200, "learning_rate": 1e-2 if width < 200 else 1e-3}
        found.append(difference(module, task, training, seed))
    assert sum(found) / len(found) > -0.01


@pytest.mark.slow
def test_the_head_of_a_large_network_is_learned_as_well_as_alone():
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(10, 512, generator=generator)
    labels = torch.arange(2000) % 10
    inputs = centers[labels] + 3 * torch.randn(2000, 512, generator=generator)
    task = hm.Task.of((inputs[500:], labels[500:]), test=(inputs[:500], labels[:500]), name="clusters")
    assert difference(nn.Linear(512, 10), task, {"iterations": 200}, 0) > -0.01
