"""Which inputs are refused, before anything is learned of them."""

import pytest
import torch

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.replay.inputs import check_inputs, check_numbers
from hypermnesia.tasks import Task

UNIT = torch.rand(1003, 3, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(1003) % 2
OUTSIDE = r"^inputs of task 't' reach from .* to .*, but .* between 0 and 1: scale .*, or do otherwise$"


def with_last(value: float) -> torch.Tensor:
    """All of them are read: only the very last number is another."""
    inputs = UNIT.clone()
    inputs.view(-1)[-1] = value
    return inputs


def check(inputs: torch.Tensor, distribution: str, channels: tuple[int, ...] = (), **options) -> None:
    task = options.pop("task", None) or Task.of((inputs, LABELS[: len(inputs)]), name="t")
    check_inputs(task, distribution, channels, "do otherwise", **options)


@pytest.mark.parametrize("distribution", ["bernoulli", "normal"])
@pytest.mark.parametrize("inputs", [UNIT, (255 * UNIT).byte(), with_last(0.0), with_last(1.0)])
def test_inputs_from_0_to_1_suit_both(inputs, distribution):
    check(inputs, distribution, (2, 3))


@pytest.mark.parametrize("value", [-1e-6, 1.0001, -3.0, 255.0])
def test_others_suit_a_normal_distribution_only(value):
    check(with_last(value), "normal")
    with pytest.raises(DataError, match=OUTSIDE):
        check(with_last(value), "bernoulli")


@pytest.mark.parametrize("distribution", ["bernoulli", "normal"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_finite_number_suits_neither(value, distribution):
    with pytest.raises(DataError, match=r"^inputs of task 't' are not all finite numbers: "):
        check(with_last(value), distribution)


@pytest.mark.parametrize("distribution", ["bernoulli", "normal"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64])
def test_inputs_of_another_type_are_to_be_converted(dtype, distribution):
    with pytest.raises(DataError, match=f"^inputs of task 't' are of type {dtype}, but .* must be torch.float32 .*"):
        check(UNIT.to(dtype), distribution)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_test_and_validation_inputs_count_where_they_are_asked_about(split):
    task = Task.of((UNIT, LABELS), name="t", **{split: (with_last(2.0), LABELS)})
    check(UNIT, "bernoulli", task=task)
    check(UNIT, "normal", task=task, asked=True)
    with pytest.raises(DataError, match=OUTSIDE):
        check(UNIT, "bernoulli", task=task, asked=True)


def test_convolutions_need_images():
    with pytest.raises(ConfigurationError, match=r"^channels: convolutions are for images"):
        check(UNIT.flatten(1), "normal", (2,))
    with pytest.raises(ConfigurationError, match=r"^channels: 3 convolutions.*give at most 2$"):
        check(UNIT, "normal", (2, 3, 4))


def test_no_inputs_are_fine():
    check_numbers(UNIT[:0], "bernoulli", "inputs", "do otherwise")
