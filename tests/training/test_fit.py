"""A task that was hardly learned is said to be, and no other."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import hypermnesia as hm
from hypermnesia.criteria import USUAL, CrossEntropy, label_kind
from hypermnesia.training.fit import Fit


def finding(losses, labels):
    fit = Fit.of(USUAL[label_kind(labels)])
    for loss in losses:
        fit.count(torch.as_tensor(loss), labels)
    return fit.finding()


@settings(max_examples=20)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=30), st.floats(0, 0.5))
def test_the_best_constant_answer_is_that_of_the_labels_frequencies(labels, label_smoothing):
    labels = torch.tensor(labels)
    fit = Fit(CrossEntropy(label_smoothing=label_smoothing))
    for _ in range(70):
        fit.count(torch.tensor(1.0), labels)
    fit.finding()
    smooth = (1 - label_smoothing) * labels.bincount() / len(labels) + label_smoothing / (int(labels.max()) + 1)
    logits = smooth.log().clamp_min(-100).expand(len(labels), -1)
    expected = nn.functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    assert fit._constant() == pytest.approx(0 if len(labels.unique()) == 1 else float(expected), abs=1e-5)


def test_targets_are_compared_with_their_mean():
    targets = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    assert "of an answer that does not look at the input is 0.5." in finding([0.6] * 250, targets)
    assert finding([0.4] * 250, targets) is None
    assert finding([0.4] * 250, targets[:1]) is None  # there is only one answer


def test_a_hard_task_that_is_learned_a_little_is_left_in_peace():
    noise = 0.05 * torch.randn(1000, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(64) % 2
    assert finding(0.683 + noise, labels) is None
    assert "hardly learned" in finding(0.693 + noise, labels)
    assert finding(0.693 + noise[:49], labels) is None  # too few steps to tell


def prejudiced():
    """A module that is for one class, whatever it sees."""
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.zero_()
        module.bias.copy_(torch.tensor([2.0, 0.0]))
    return module


def notes_of(learn):
    with warnings.catch_warnings(record=True, action="always") as caught:
        learn()
    return [str(each.message) for each in caught if "hardly learned" in str(each.message)]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (hm.HypernetworkLearner, {}),
        (hm.FromScratchLearner, {}),
        (hm.ConsolidatedHypernetworkLearner, {"ewc": {"strength": 1.0}}),
        (hm.TaskInferenceLearner, {"replay": {"model": {"kind": "vae", "hidden": (4,), "encoder_hidden": (4,)}}}),
        (hm.LikelihoodLearner, {"likelihood": {"decoder_hidden": (4,), "encoder_hidden": (4,)}}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_learner_of_generated_weights_says_so(kind, settings):
    inputs, labels = torch.eye(2).repeat(20, 1), torch.arange(40) % 2
    training = {"iterations": 100, "batch_size": 8}
    in_vain = kind(prejudiced(), training=training | {"learning_rate": 1e-9}, **settings)
    (note,) = notes_of(lambda: in_vain.learn((inputs, labels)))
    assert "Try another training.learning_rate" in note
    learning = kind(prejudiced(), training=training | {"learning_rate": 0.1}, **settings)
    assert not notes_of(lambda: learning.learn((inputs, labels)))


def test_adapting_in_vain_is_said():
    inputs, labels = torch.eye(2).repeat(20, 1), torch.arange(40) % 2
    training = {"iterations": 100, "learning_rate": 1e-9, "batch_size": 8}
    learner = hm.HypernetworkLearner(prejudiced(), training=training)
    learner.learn((inputs, labels))
    (note,) = notes_of(lambda: learner.adapt((inputs, labels)))
    assert "use learn instead of adapt" in note
