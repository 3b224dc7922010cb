"""A new hypernetwork for each task: that of the hypernetwork learner for its first task, and one like it for others."""

import pytest
import torch
from torch import nn

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners import FromScratchLearner, HypernetworkLearner, load
from tests.nested import equal

SMALL = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (10,), "chunk_size": 100}
TRAINING = {"iterations": 8, "learning_rate": 0.01, "batch_size": 16}
VARIANTS = {
    "from the module": {},
    "from zero": {"start": "zero"},
    "as published": {"start": "zero", "rate_factor": 1.0},
    "heads of its own": {"own": ("3.*",), "own_start": "drawn"},
    "a shared layer": {"shared": ("0.*",)},
}


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(28, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))


def make(kind=FromScratchLearner, module=None, **settings):
    return kind(module or network(), **SMALL, **settings, training=TRAINING, seed=3)


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def variant(request):
    return request.param


def of_tasks(learner: FromScratchLearner) -> list:
    return learner.state_dict()["parts"]["networks"]["networks"]


def test_the_first_task_is_what_the_hypernetwork_learner_learns_first(variant, examples):
    alone, ours = make(HypernetworkLearner, **variant), make(**variant)
    for learner in (alone, ours):
        learner.learn(examples(0))
    (found,) = of_tasks(ours)
    expected = alone.state_dict()["parts"]["network"]
    assert equal(found, {name: part for name, part in expected.items() if name != "module"})
    assert (ours.num_weights, ours.memory_bytes) == (alone.num_weights, alone.memory_bytes)
    inputs, _ = examples(0)
    for task in (0, None):
        assert torch.equal(ours.predict(inputs, task).outputs, alone.predict(inputs, task).outputs)


def test_no_task_knows_of_the_others(variant, examples):
    """The second network is the same whatever came before it, and the first one whatever comes after it."""
    one, other = make(**variant), make(**variant)
    for learner, first in ((one, 0), (other, 2)):
        learner.learn(examples(first))
        (before,) = of_tasks(learner)
        learner.learn(examples(1))
        assert equal(of_tasks(learner)[0], before)
    assert equal(of_tasks(one)[1], of_tasks(other)[1])
    assert not equal(of_tasks(one)[0], of_tasks(other)[0])
    # Each begins with numbers of its own.
    begun = make(**variant)
    begun.training = begun.training.model_copy(update={"learning_rate": 1e-30})
    for _ in range(2):
        begun.learn(examples(0))
    first, second = of_tasks(begun)
    assert not torch.equal(first["theta"]["trunk.0.weight"], second["theta"]["trunk.0.weight"])
    assert not torch.equal(first["task_embeddings"][0], second["task_embeddings"][0])


def test_the_task_is_that_of_the_network_with_the_least_entropy(examples):
    learner = make()
    for number in range(3):
        learner.learn(examples(number))
    inputs = torch.cat([examples(number)[0] for number in range(3)])
    probabilities = torch.stack([learner.predict(inputs, task).probabilities for task in range(3)])
    least = torch.special.entr(probabilities).sum(2).argmin(0)
    assert len(least.unique()) > 1
    prediction = learner.predict(inputs)
    assert torch.equal(prediction.task, least)
    torch.testing.assert_close(prediction.probabilities, probabilities[least, torch.arange(len(inputs))])


def test_the_modules_values_are_held_once_in_memory_and_in_files(examples, tmp_path):
    learner = make(module=network())
    sizes = []
    for number in range(3):
        learner.learn(examples(number))
        learner.save(tmp_path / "learner")
        sizes.append((tmp_path / "learner").stat().st_size)
    for each in (learner, load(tmp_path / "learner", network(9))):
        networks = each._networks.networks
        held = {net.hypernetwork.base.data_ptr() for net in networks}
        in_module = {net.module[0].weight.untyped_storage().data_ptr() for net in networks}
        assert len(held) == 1 and in_module == held
        torch.testing.assert_close(networks[0].module[0].weight, network()[0].weight, rtol=0, atol=0)
    # A further task costs its weights and statistics, and names.
    learner.save(tmp_path / "without", module=False)
    given = sizes[-1] - (tmp_path / "without").stat().st_size
    assert given > 4 * 28 * 16
    further = sizes[2] - sizes[1]
    one = learner.memory_bytes / 3
    assert one < further < one + given


def test_there_is_nothing_to_protect(module):
    with pytest.raises(ConfigurationError, match="beta must be 0: a hypernetwork of a single task"):
        make(beta=1.0)
