"""Accuracies of the networks of any embeddings, beside one network and one input at a time."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from hypermnesia.evaluation.embedding_space import accuracy_at
from hypermnesia.learners import HypernetworkLearner
from hypermnesia.protection import network


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
    statistics = learner.state_dict()["learner"]["network"]["buffers"][task]
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
