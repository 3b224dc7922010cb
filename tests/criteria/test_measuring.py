"""Metrics: the same value however examples are batched, whoever has made the metric."""

import pytest
import torch
import torchmetrics
from hypothesis import given, settings
from hypothesis import strategies as st

from hypermnesia.criteria import BinaryCrossEntropy, CrossEntropy, Custom, MeanSquaredError, measure_of
from hypermnesia.errors import ConfigurationError

OUTPUTS = torch.randn(12, 3, 4, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(48).view(12, 4) % 3
CLASSES[:5, 1:] = -100


def f1(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A figure that is no mean over examples."""
    found, there = outputs.argmax(1) == 1, targets == 1
    return 2 * (found & there).sum() / (found.sum() + there.sum())


def distance(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A number for each example."""
    return (outputs.argmax(1) - targets).abs().float().mean(1)


distance.higher_is_better = False


def measured(metric, criterion, outputs, targets, size):
    measurement = measure_of(metric, criterion).begin(criterion)
    for batch in zip(outputs.split(size), targets.split(size), strict=True):
        measurement.add(*batch)
    return measurement.value()


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 12))
def test_a_metric_does_not_depend_on_batches(size):
    criterion, counted = CrossEntropy(weight=(1, 2, 3)), CLASSES >= 0
    right = (OUTPUTS.argmax(1) == CLASSES)[counted].double().mean()
    assert measured(None, criterion, OUTPUTS, CLASSES, size) == pytest.approx(float(right))
    loss = float(criterion.loss(OUTPUTS, CLASSES))
    assert measured("loss", criterion, OUTPUTS, CLASSES, size) == pytest.approx(loss, rel=1e-5)
    assert measured(f1, criterion, OUTPUTS, CLASSES, size) == pytest.approx(float(f1(OUTPUTS, CLASSES)))
    expected = float(distance(OUTPUTS, CLASSES).mean())
    assert measured(distance, criterion, OUTPUTS, CLASSES, size) == pytest.approx(expected)
    theirs = torchmetrics.JaccardIndex("multiclass", num_classes=3, ignore_index=-100)
    assert measured(theirs, criterion, OUTPUTS, CLASSES, size) == pytest.approx(float(theirs(OUTPUTS, CLASSES)))
    assert measured("loss", Custom(torch.dist), OUTPUTS, OUTPUTS + 1, 12) == pytest.approx(12.0)


def test_metrics_of_several_labels_and_of_numbers():
    holds = (OUTPUTS > 0.3).long()
    share = ((OUTPUTS > 0) == (holds > 0)).double().mean()
    assert measured(None, BinaryCrossEntropy(), OUTPUTS, holds, 5) == pytest.approx(float(share))
    assert measured(None, MeanSquaredError(), OUTPUTS, OUTPUTS + 0.5, 5) == pytest.approx(0.25)
    assert measured(torchmetrics.MeanAbsoluteError(), MeanSquaredError(), OUTPUTS, OUTPUTS + 0.5, 5) == pytest.approx(
        0.5
    )


def test_the_metric_that_was_given_stays_as_it_is():
    theirs = torchmetrics.MeanAbsoluteError()
    theirs.update(torch.zeros(1), torch.ones(1))
    measured(theirs, MeanSquaredError(), OUTPUTS, OUTPUTS, 5)
    assert theirs.compute() == 1


def test_which_way_is_better_is_known():
    cross_entropy = CrossEntropy()
    assert measure_of(None, cross_entropy).metric.more_is_better
    assert measure_of(f1, cross_entropy).metric.more_is_better
    for less in ("loss", distance, torchmetrics.MeanAbsoluteError()):
        assert not measure_of(less, cross_entropy).metric.more_is_better


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("metric", "criterion", "sentence"),
    [
        ("acuracy", CrossEntropy(), "Did you mean 'accuracy'"),
        ("accuracy", MeanSquaredError(), "does not go with the criterion mean-squared-error"),
        ("error", CrossEntropy(), "does not go with the criterion cross-entropy"),
        (3, CrossEntropy(), "not a int"),
    ],
)
def test_what_is_no_metric_is_refused_in_a_sentence(metric, criterion, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        measure_of(metric, criterion)


def test_a_metric_of_many_numbers_is_refused_in_a_sentence():
    by_class = torchmetrics.Accuracy("multiclass", num_classes=3, average="none", ignore_index=-100)
    with pytest.raises(ConfigurationError, match=r"gives a tensor of shape \[3\].*average='macro'"):
        measured(by_class, CrossEntropy(), OUTPUTS, CLASSES, 5)
