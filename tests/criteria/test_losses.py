"""Criteria beside the losses of torch.nn that they are, also where labels are ignored and batches are divided."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hypermnesia.criteria import (
    ANY,
    BinaryCrossEntropy,
    CrossEntropy,
    Custom,
    MeanSquaredError,
    criterion_of,
    description,
)
from hypermnesia.errors import ConfigurationError, DataError

SHAPES = st.sampled_from([(), (4,), (2, 3)])
"""Shapes of a label: of an input, of tokens, of pixels."""


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(SHAPES, st.integers(1, 5), st.integers(2, 4), st.booleans(), st.sampled_from([0.0, 0.2]), st.integers(0, 99))
def test_cross_entropy_is_that_of_torch(shape, inputs, classes, weighted, smoothing, seed):
    outputs = drawn(seed, inputs, classes, *shape)
    targets = drawn(seed + 1, inputs, *shape).abs().mul(10).long() % classes
    if shape:
        targets.view(-1)[0] = -100
    weight = torch.arange(1.0, classes + 1, dtype=torch.float64) if weighted else None
    theirs = nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)
    ours = criterion_of(theirs)
    assert isinstance(ours, CrossEntropy)
    torch.testing.assert_close(ours.loss(outputs, targets), theirs(outputs, targets))


@settings(max_examples=20, deadline=None)
@given(SHAPES, st.integers(1, 5), st.integers(1, 3), st.booleans(), st.integers(0, 99))
def test_binary_cross_entropy_and_squared_error_are_those_of_torch(shape, inputs, width, weighted, seed):
    outputs, targets = drawn(seed, inputs, width, *shape), drawn(seed + 1, inputs, width, *shape)
    torch.testing.assert_close(criterion_of(nn.MSELoss()).loss(outputs, targets), nn.MSELoss()(outputs, targets))
    weight = torch.arange(1.0, width + 1, dtype=torch.float64) if weighted else None
    ours = criterion_of(nn.BCEWithLogitsLoss(pos_weight=weight))
    broadcast = None if weight is None else weight.view(-1, *(1 for _ in shape))
    expected = nn.BCEWithLogitsLoss(pos_weight=broadcast)(outputs, (targets > 0).double())
    torch.testing.assert_close(ours.loss(outputs, (targets > 0).long()), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.sampled_from([None, (1.0, 2.0, 4.0)]), st.integers(0, 99))
def test_means_over_parts_weighted_by_their_amounts_make_the_mean_over_the_whole(cut, weight, seed):
    """Also where all labels of a part are ignored: what several processes add is what one computes."""
    criterion = CrossEntropy(weight=weight)
    outputs, targets = drawn(seed, 6, 3, 4), drawn(seed, 6, 4).abs().mul(10).long() % 3
    targets[:cut, 1:] = -100
    targets[0] = -100
    parts = [(outputs[:cut], targets[:cut]), (outputs[cut:], targets[cut:])]
    whole = criterion.amount(targets)
    together = sum(criterion.loss(*part) * criterion.amount(part[1]) / whole for part in parts)
    torch.testing.assert_close(together, criterion.loss(outputs, targets), check_dtype=False)
    assert criterion.loss(outputs[:1], targets[:1]) == 0  # where torch's would be no number


def test_the_first_class_of_a_task_may_have_any_output():
    criterion = CrossEntropy(weight=(1.0, 3.0), label_smoothing=0.1)
    outputs, targets = drawn(0, 4, 5, 3), torch.tensor([[0, 1, -100]]).expand(4, -1)
    weight = torch.tensor([1, 1, 1, 3, 1], dtype=torch.float64)
    expected = nn.CrossEntropyLoss(weight, label_smoothing=0.1)(outputs, torch.where(targets < 0, targets, targets + 2))
    torch.testing.assert_close(criterion.loss(outputs, targets, first=2), expected)
    assert criterion.placed(targets, 2)[0].tolist() == [2, 3, -100]


@settings(max_examples=20, deadline=None)
@given(SHAPES, st.sampled_from([-1, 2, 3, 255]), st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_what_is_ignored_is_told_by_labels_before_they_are_placed(shape, ignored, first, weighted, seed):
    """A task of two classes, of which some label says that there is none, beside outputs of other tasks."""
    outputs, labels = drawn(seed, 6, first + 2, *shape), drawn(seed + 1, 6, *shape).abs().mul(10).long() % 2
    where = drawn(seed + 2, 6, *shape) > 0
    if not shape and ignored < 0:  # classes of whole inputs are never negative
        where = torch.zeros(6, dtype=torch.bool)
    where[0] = False
    given_, placed = torch.where(where, ignored, labels), torch.where(where, -100, labels + first)
    criterion = CrossEntropy(ignore_index=ignored, weight=(1, 3) if weighted else None)
    weight = torch.tensor([1.0] * first + [1, 3], dtype=torch.float64) if weighted else None
    torch.testing.assert_close(
        criterion.loss(outputs, given_, first), nn.CrossEntropyLoss(weight)(outputs, placed), check_dtype=False
    )
    right = criterion.merit(outputs, criterion.placed(given_, first)).sum() / criterion.counted(given_)
    assert float(right) == pytest.approx(float((outputs.argmax(1) == placed)[~where].double().mean()))
    likelihood = criterion.log_likelihood(outputs[0], criterion.placed(given_, first)[0])
    expected = -nn.CrossEntropyLoss(reduction="sum")(outputs[:1], placed[:1])
    torch.testing.assert_close(likelihood, expected)


def test_a_wrong_label_is_not_taken_for_an_ignored_one():
    with pytest.raises(DataError, match="labels must be class numbers from 0 to 1, or 255, which is ignored"):
        CrossEntropy(ignore_index=255).loss(drawn(0, 1, 2, 3), torch.tensor([[0, 1, -100]]))


@pytest.mark.parametrize(
    ("criterion", "outputs"),
    [
        (CrossEntropy(), drawn(0, 5, 3)),
        (CrossEntropy(), drawn(0, 5, 3, 2)),
        (BinaryCrossEntropy(), drawn(0, 5, 3)),
        (MeanSquaredError(), drawn(0, 5, 3)),
    ],
    ids=str,
)
def test_fisher_information_is_the_expectation_over_drawn_targets(criterion, outputs):
    """Of the outputs themselves: mean of squared gradients of the log-likelihood, beside its closed form."""
    generator = torch.Generator().manual_seed(0)
    output = outputs[0]
    some = outputs[0].argmax(0) if isinstance(criterion, CrossEntropy) else torch.zeros_like(output)
    values, weights = criterion.information(output, some)
    jacobian = torch.func.jacrev(lambda o: criterion.information(o, some)[0])(output)
    exact = torch.tensordot(weights, jacobian.square(), dims=1)
    gradient = torch.func.vmap(torch.func.grad(criterion.log_likelihood), in_dims=(None, 0))
    targets = criterion.sample(output.expand(20_000, *output.shape), some.expand(20_000, *some.shape), generator)
    torch.testing.assert_close(gradient(output, targets).square().mean(0), exact, rtol=0.1, atol=0.02)
    assert len(values) == len(weights)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ("cross_entropy", "Did you mean 'cross-entropy'"),
        ({"kind": "cross-entropy", "weights": [1]}, r"weights: unknown setting\. Did you mean 'weight'"),
        (nn.CrossEntropyLoss(reduction="sum"), "reduction='sum'.*leave reduction out"),
        (nn.BCEWithLogitsLoss(weight=torch.ones(2)), "for weights of another kind give a function"),
        (nn.CrossEntropyLoss, "not the class CrossEntropyLoss: call it"),
        (3, "not a int"),
        (nn.Bilinear(2, 2, 1), "parameters of its own, which no learner would train"),
    ],
    ids=str,
)
def test_what_is_no_criterion_is_refused_in_a_sentence(given_, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        criterion_of(given_)


def test_a_function_must_return_one_number():
    for wrong in (lambda o, t: (o - t).square(), lambda o, t: 3.0):
        with pytest.raises(DataError, match=r"returned a (tensor of shape \[2, 1\]|float): it must return one number"):
            Custom(wrong).loss(torch.zeros(2, 1), torch.zeros(2, 1))
    with pytest.raises(ConfigurationError, match=r"is no likelihood.*empirical"):
        Custom(nn.functional.l1_loss).information(torch.zeros(2), torch.zeros(()))


def test_criteria_are_the_same_after_a_copy_a_pickle_and_a_file():
    for criterion in (CrossEntropy(weight=[1, 2], ignore_index=7), BinaryCrossEntropy(), Custom(nn.functional.l1_loss)):
        assert copy.deepcopy(criterion) == pickle.loads(pickle.dumps(criterion)) == criterion
        if not isinstance(criterion, Custom):
            assert criterion_of(description(criterion)) == criterion
    assert {type(criterion_of(name)) for name in ("cross-entropy", "binary-cross-entropy", "mean-squared-error")} == {
        kind for kind in ANY if kind is not Custom
    }
