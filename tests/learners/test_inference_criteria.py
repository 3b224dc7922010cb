"""Task inference: the criteria against closed forms, what they notice and what not, and no NaN anywhere."""

import itertools
import math
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners.inference_criteria import (
    Criterion,
    InferenceSettings,
    certainty,
    is_surer,
    margin,
    uncertainty,
)

CRITERIA = get_args(Criterion)


def answers(settings: InferenceSettings, inputs: int = 6, classes: int = 4, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(settings.copies, inputs, classes, generator=generator, dtype=torch.float64)


def by_definition(logits: torch.Tensor, settings: InferenceSettings) -> list[float]:
    """The formulas, one input and one class after another, in Python's floats."""

    def entropy(probabilities):
        return -sum(p * math.log(p) for p in probabilities)

    values = []
    for each in logits.transpose(0, 1).tolist():
        weights = [[math.exp(logit / settings.temperature) for logit in copy] for copy in each]
        probabilities = [[w / sum(copy) for w in copy] for copy in weights]
        mean = [sum(column) / len(probabilities) for column in zip(*probabilities, strict=True)]
        values.append(
            {
                "entropy": entropy(probabilities[0]),
                "max-probability": -max(probabilities[0]),
                "energy": -settings.temperature * math.log(sum(weights[0])),
                "agreement": entropy(mean) - sum(map(entropy, probabilities)) / len(probabilities),
            }[settings.criterion]
        )
    return values


@pytest.mark.parametrize("criterion", CRITERIA)
@given(
    temperature=st.floats(0.3, 5),
    samples=st.integers(1, 4),
    inputs=st.integers(1, 4),
    classes=st.integers(1, 5),
    seed=st.integers(0, 100),
)
def test_a_criterion_equals_its_definition(criterion, temperature, samples, inputs, classes, seed):
    of_agreement = {"samples": samples} if criterion == "agreement" else {}
    settings = InferenceSettings(criterion=criterion, temperature=temperature, **of_agreement)
    logits = answers(settings, inputs, classes, seed)
    expected = torch.tensor(by_definition(logits, settings), dtype=torch.float64)
    assert_close(uncertainty(logits, settings), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize(
    ("criterion", "alike", "certain"),
    [("entropy", lambda n: math.log(n), 0.0), ("max-probability", lambda n: -1 / n, -1.0)],
)
def test_between_a_certain_answer_and_none(criterion, alike, certain, classes):
    settings = InferenceSettings(criterion=criterion)
    logits = torch.zeros(1, 2, classes, dtype=torch.float64)
    logits[0, 1, 0] = 1000
    assert_close(uncertainty(logits, settings), torch.tensor([alike(classes), certain], dtype=torch.float64))


def test_copies_that_contradict_each_other_disagree_by_the_logarithm_of_two():
    settings = InferenceSettings(criterion="agreement", samples=1)
    same = torch.tensor([[50.0, -50.0], [0.3, 0.1]])
    logits = torch.stack([torch.cat([same, same[:1]]), torch.cat([same, -same[:1]])])
    assert_close(uncertainty(logits, settings), torch.tensor([0, 0, math.log(2)]))


def test_a_divergence_is_never_negative_not_even_by_rounding():
    settings = InferenceSettings(criterion="agreement", samples=2)
    logits = answers(InferenceSettings(), inputs=200).float().expand(3, -1, -1)
    disagreement = uncertainty(logits, settings)
    assert ((disagreement >= 0) & (disagreement < 1e-6)).all()


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_batch_equals_its_inputs_one_by_one(criterion):
    settings = InferenceSettings(criterion=criterion)
    logits = answers(settings)
    one_by_one = torch.cat([uncertainty(logits[:, i : i + 1], settings) for i in range(logits.shape[1])])
    assert_close(uncertainty(logits, settings), one_by_one)


@pytest.mark.parametrize("criterion", CRITERIA)
@given(shift=st.floats(-100, 100), seed=st.integers(0, 100))
def test_only_the_energy_notices_a_constant_added_to_all_logits(criterion, shift, seed):
    settings = InferenceSettings(criterion=criterion, temperature=1.5)
    logits = answers(settings, seed=seed)
    before = uncertainty(logits, settings)
    moved = before - shift if criterion == "energy" else before
    assert_close(uncertainty(logits + shift, settings), moved, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("criterion", CRITERIA)
@given(seed=st.integers(0, 100), order=st.permutations(range(4)))
def test_the_order_of_classes_is_no_matter(criterion, seed, order):
    settings = InferenceSettings(criterion=criterion)
    logits = answers(settings, seed=seed)
    assert_close(uncertainty(logits[..., order], settings), uncertainty(logits, settings), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("criterion", ["entropy", "max-probability"])
def test_a_higher_temperature_makes_every_answer_less_sure(criterion):
    values = [
        uncertainty(answers(InferenceSettings()), InferenceSettings(criterion=criterion, temperature=temperature))
        for temperature in (0.5, 1, 2, 4)
    ]
    assert all((warm > cool).all() for cool, warm in itertools.pairwise(values))


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("temperature", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_logits_give_finite_values(criterion, temperature, dtype):
    of_agreement = {"samples": 1} if criterion == "agreement" else {}
    settings = InferenceSettings(criterion=criterion, temperature=temperature, **of_agreement)
    values = torch.tensor([-1e4, 0.0, 1e4], dtype=dtype)
    logits = torch.cartesian_prod(values, values, values)
    copies = torch.stack([logits, logits.flip(0)][: settings.copies])
    result = uncertainty(copies, settings)
    assert result.isfinite().all()
    assert result.dtype == dtype
    if criterion == "agreement":
        assert (result >= 0).all()


@pytest.mark.parametrize(("criterion", "copies"), [("entropy", 2), ("agreement", 1), ("agreement", 6)])
def test_a_wrong_number_of_copies_is_refused(criterion, copies):
    with pytest.raises(ConfigurationError, match=rf"'{criterion}' needs .* not of {copies}"):
        uncertainty(torch.zeros(copies, 3, 2), InferenceSettings(criterion=criterion))


@given(tasks=st.integers(1, 6), inputs=st.integers(0, 5), seed=st.integers(0, 100), scale=st.sampled_from([1, 1e4]))
def test_certainty_is_the_winners_part_of_the_softmax(tasks, inputs, seed, scale):
    uncertainties = scale * torch.randn(tasks, inputs, generator=torch.Generator().manual_seed(seed))
    score = certainty(uncertainties)
    # 1 / Σ exp(smallest − other): the same softmax, written for the winner alone
    assert_close(score, 1 / (uncertainties.amin(0) - uncertainties).exp().sum(0))
    assert ((1 / tasks - 1e-6 <= score) & (score <= 1)).all()


@pytest.mark.parametrize(("criterion", "saturated"), [("entropy", 120.0), ("max-probability", 20.0)])
def test_margins_tell_apart_what_is_equally_sure_in_float32(criterion, saturated):
    settings = InferenceSettings(criterion=criterion)
    sure, surer = (torch.tensor([[[m, 0.0, -1.0]]]) for m in (saturated, saturated + 1))
    (one, other), margins = [uncertainty(x, settings) for x in (sure, surer)], [margin(x) for x in (sure, surer)]
    assert torch.equal(one, other)
    assert is_surer(other, margins[1], (one, margins[0])).all()
    assert not is_surer(one, margins[0], (other, margins[1])).any()
    # They only decide between equals, and agree with the criterion where it decides.
    assert not is_surer(one + 1, margins[1], (other, margins[0])).any()
    logits = answers(InferenceSettings(), inputs=200, classes=2)
    by_criterion, by_margin = uncertainty(logits, settings).argsort(), margin(logits).argsort(descending=True)
    assert torch.equal(by_criterion, by_margin)


@pytest.mark.parametrize(
    "wrong",
    [
        {"criterion": "margin"},
        {"temperature": 0},
        {"temperature": math.inf},
        {"temperature": math.nan},
        {"noise": 0},
        {"noise": -0.1},
        {"samples": 0},
        {"samples": 1.5},
        {"unknown": 1},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        InferenceSettings(**wrong)


def test_settings_do_not_change():
    with pytest.raises(ConfigurationError, match=r"temperature: settings are not changed but made anew"):
        InferenceSettings().temperature = 2.0
