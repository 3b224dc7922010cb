"""A hypernetwork whose own weights are held: like a standard network's, and nothing is generated for old tasks."""

import pytest
import torch
from torch.func import functional_call

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners import ConsolidatedHypernetworkLearner, HypernetworkLearner

SMALL = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (10,), "chunk_size": 100}
# The Fisher information of tasks that are learned perfectly is tiny.
HELD = [
    {"ewc": {"strength": 1e12, "fisher": "exact"}},
    {"ewc": {"strength": 1e12, "fisher": "exact", "decay": 0.9}},
    {"si": {"strength": 100.0}},
]
NAMES = ["EWC", "online EWC", "SI"]


def make(module, held, **settings) -> ConsolidatedHypernetworkLearner:
    training = {"iterations": 60, "learning_rate": 0.01, "batch_size": 32, **settings.pop("training", {})}
    as_published = {"start": "zero", "rate_factor": 1.0}
    return ConsolidatedHypernetworkLearner(module(), training=training, **as_published, **held, **SMALL, **settings)


@pytest.mark.parametrize("held", HELD, ids=NAMES)
def test_old_tasks_are_kept_better_than_without(held, module, examples):
    training = {"iterations": 60, "learning_rate": 0.01, "batch_size": 32}
    unprotected = HypernetworkLearner(module(), start="zero", rate_factor=1.0, beta=0, training=training, **SMALL)
    kept = make(module, held)
    inputs, labels = examples(0)
    moved = []
    for learner in (unprotected, kept):
        learner.learn(examples(0))
        before = learner.predict(inputs, 0).probabilities
        for task in (1, 2):
            learner.learn(examples(task))
        moved.append((learner.predict(inputs, 0).probabilities - before).abs().mean().item())
    assert moved[1] < 0.7 * moved[0]
    assert (kept.predict(inputs, 0).labels == labels).float().mean() > 0.95


def test_the_fisher_information_is_that_of_the_hypernetworks_weights(module, examples):
    """Of the exact expectation over classes, one example at a time."""
    learner = make(module, {"ewc": {"strength": 1.0, "fisher": "exact"}}, training={"iterations": 20})
    inputs, labels = examples(0, count=6)
    learner.learn((inputs, labels))
    theta = learner.hypernetwork.shared_parameters()
    expected = {name: torch.zeros_like(parameter) for name, parameter in theta.items()}
    for one in inputs:
        weights = learner.hypernetwork(0)
        log_probabilities = functional_call(module().eval(), weights, (one[None],)).log_softmax(1)[0]
        for log_probability in log_probabilities:
            gradients = torch.autograd.grad(log_probability, list(theta.values()), retain_graph=True)
            for name, gradient in zip(theta, gradients, strict=True):
                expected[name] += log_probability.detach().exp() * gradient.square() / len(inputs)
    found = learner.state_dict()["parts"]["consolidation"]["penalty"]["importance"]
    assert found.keys() == expected.keys()
    for name, importance in expected.items():
        torch.testing.assert_close(found[name], importance, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give either ewc or si"),
        ({"ewc": {}, "si": {}}, "give either ewc or si"),
        ({"ewc": {}, "beta": 0.1}, "beta must be 0"),
        ({"ewc": {"strenght": 1}}, "Did you mean 'strength'"),
        ({"si": {"strength": -1}}, "strength: "),
    ],
)
def test_wrong_settings_are_explained(settings, message, module):
    with pytest.raises(ConfigurationError, match=message):
        ConsolidatedHypernetworkLearner(module(), **settings)
