"""Accuracies of the networks of any embeddings, beside one network and one input at a time; planes of embeddings."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.embeddings import accuracy_at, plane_of, square_around
from hypermnesia.learners import HypernetworkLearner
from hypermnesia.protection import network

RANDOM = np.random.default_rng(0)


def test_embeddings_of_two_dimensions_have_their_own_plane():
    embeddings = RANDOM.normal(size=(4, 2))
    plane = plane_of(embeddings)
    assert plane.explained is None
    np.testing.assert_array_equal(plane.coordinates(embeddings), embeddings)
    np.testing.assert_array_equal(plane.through(embeddings[2]).points(embeddings), embeddings)


def test_embeddings_in_a_tilted_plane_are_found_in_it():
    """Orthonormal axes, all of the variance, and the way there and back."""
    axes = np.linalg.qr(RANDOM.normal(size=(7, 2)))[0].T
    embeddings = 5 + RANDOM.normal(size=(6, 2)) * [3, 1] @ axes
    plane = plane_of(embeddings)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    assert plane.explained.sum() == pytest.approx(1)
    assert plane.explained[0] > plane.explained[1]
    np.testing.assert_allclose(plane.points(plane.coordinates(embeddings)), embeddings)


def test_a_parallel_plane_holds_the_embedding_where_its_coordinates_are():
    embeddings = RANDOM.normal(size=(5, 9))
    plane = plane_of(embeddings)
    place = plane.coordinates(embeddings)
    assert np.abs(plane.points(place)[3] - embeddings[3]).max() > 0.1
    through = plane.through(embeddings[3])
    np.testing.assert_allclose(through.points(place)[3], embeddings[3])
    np.testing.assert_allclose(through.coordinates(embeddings), place)


def test_all_embeddings_lie_well_inside_the_square():
    places = RANDOM.normal(size=(5, 2)) * [4, 1]
    x, y = square_around(places, 11)
    assert len(x) == len(y) == 11
    assert x[-1] - x[0] == pytest.approx(y[-1] - y[0])
    assert x[0] < places[:, 0].min() and places[:, 0].max() < x[-1]
    assert y[0] < places[:, 1].min() and places[:, 1].max() < y[-1]
    assert [line.tolist() for line in square_around(np.ones((1, 2)), 3)] == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize(
    ("shape", "message"), [((5, 1), "embedding_dim=1"), ((2, 3), "2 embeddings of 3 dimensions lie in no plane")]
)
def test_where_there_is_no_plane_that_is_told(shape, message):
    with pytest.raises(ConfigurationError, match=message):
        plane_of(RANDOM.normal(size=shape))


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)
    )


def examples(task: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(task)
    return (1 + task) * torch.randn(50, 16, generator=generator) + task, torch.arange(50) % 3


@pytest.fixture(scope="module")
def learner() -> HypernetworkLearner:
    training = {"iterations": 20, "batch_size": 10, "learning_rate": 0.01}
    made = HypernetworkLearner(convolutional(), embedding_dim=3, hidden=(6,), chunk_size=20, training=training)
    for task in range(2):
        made.learn(examples(task))
    return made


@pytest.mark.parametrize("numbers", [1, 500, 2**24])
@pytest.mark.parametrize("task", [0, 1])
def test_it_is_the_accuracy_of_each_network(learner, task, numbers, monkeypatch):
    """However many networks are asked together; with the task's own statistics of batch normalization."""
    monkeypatch.setattr(network, "_NUMBERS_AT_A_TIME", numbers)
    inputs, labels = examples(task)
    embeddings = 2 * torch.randn(9, 3, generator=torch.Generator().manual_seed(5))
    found = accuracy_at(learner, embeddings, inputs, labels, task)
    statistics = learner.state_dict()["parts"]["network"]["of_task"][task]
    module = convolutional().eval()
    for embedding, accuracy in zip(embeddings, found.tolist(), strict=True):
        weights = learner.hypernetwork.generate(embedding)
        right = [
            int(functional_call(module, {**weights, **statistics}, (one[None],)).argmax() == label)
            for one, label in zip(inputs, labels, strict=True)
        ]
        assert accuracy == pytest.approx(sum(right) / len(right))
    assert len(set(found.tolist())) > 3


def test_at_a_learned_embedding_it_is_what_the_learner_answers(learner):
    inputs, labels = examples(1)
    (found,) = accuracy_at(learner, learner.hypernetwork.embeddings([1]), inputs, labels, 1).tolist()
    assert found == pytest.approx((learner.predict(inputs, 1).labels == labels).double().mean().item())
