"""Clumsy arguments of learners, by kind: refused in a short sentence, and before anything is allocated."""

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError

LONG = "x\n" * 5000
SIZES = (10**12, 2**63 - 1)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def refusal(make) -> str:
    with pytest.raises(ConfigurationError) as refused:
        make()
    return str(refused.value)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("learner", "settings"),
    [
        (hm.HypernetworkLearner, lambda size: {"embedding_dim": size}),
        (hm.HypernetworkLearner, lambda size: {"hidden": [size]}),
        (hm.ConsolidatedHypernetworkLearner, lambda size: {"hidden": [size], "ewc": {}}),
        (hm.FromScratchLearner, lambda size: {"embedding_dim": size}),
    ],
)
def test_what_no_memory_holds_is_refused_in_the_library_too(unchecked, learner, settings, size):
    assert "memory" in refusal(lambda: learner(network(), **settings(size)))


@pytest.mark.parametrize("name", ["criterion", "metric", "scenario", "start", "seed", "inference", "device"])
def test_long_texts_are_told_in_a_short_sentence(unchecked, name):
    learner = hm.EWCLearner if name == "scenario" else hm.HypernetworkLearner
    assert len(refusal(lambda: learner(network(), **{name: LONG}))) < 1000


def test_long_names_of_tasks_are_told_in_a_short_sentence(unchecked):
    learner = hm.FineTuningLearner(network(), training={"iterations": 1}, scenario="task")
    learner.learn((torch.rand(4, 4), torch.arange(4) % 2))
    inputs = torch.rand(1, 4)
    assert len(refusal(lambda: learner.predict(inputs, LONG))) < 1000
    assert len(refusal(lambda: learner.network(LONG))) < 1000
