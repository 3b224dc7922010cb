import pytest
import torch

from hypermnesia.errors import ConfigurationError
from hypermnesia.tasks import Polynomial, TensorExamples, polynomials
from hypermnesia.tasks.polynomial_regression import TOY
from hypermnesia.tasks.union import UnionExamples


def test_values_are_those_of_the_formulas():
    x = torch.linspace(-4, 4, 50, dtype=torch.float64)
    for polynomial, formula in zip(TOY, (x + 3, 2 * x**2 - 1, (x - 3) ** 3), strict=True):
        torch.testing.assert_close(polynomial(x), formula)


@pytest.mark.parametrize(
    ("coefficients", "name"),
    [((3, 1), "x+3"), ((-1, 0, 2), "2x²−1"), ((0,), "0"), ((0, -1), "−x"), ((0.5, 0, 0, 11), "11x³+0.5")],
)
def test_they_are_called_by_their_formulas(coefficients, name):
    assert str(Polynomial(coefficients, 0, 1)) == name


def test_training_examples_are_noisy_and_others_exact():
    noisy, exact = polynomials(examples=2000, noise=0.05, validation=7, seed=3), polynomials(examples=5, noise=0)
    for task, function in zip(noisy, TOY, strict=True):
        x, y = next(task.train.in_order(2000))
        assert x.shape == y.shape == (2000, 1) and x.min() >= function.low and x.max() <= function.high
        assert float((y - function(x)).std()) == pytest.approx(0.05, rel=0.1)
        for split, number in ((task.test, 2000), (task.validation, 7)):
            x, y = next(split.in_order(2000))
            assert len(x) == number
            torch.testing.assert_close(y, function(x))
    assert all(
        torch.equal(y, function(x)) for t, function in zip(exact, TOY, strict=True) for x, y in t.train.in_order(9)
    )
    again = polynomials(examples=2000, seed=3)
    assert torch.equal(next(noisy[1].train.in_order(9))[0], next(again[1].train.in_order(9))[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Polynomial((), 0, 1), "needs coefficients"),
        (lambda: Polynomial((1,), 1, 1), "begin before it ends"),
        (lambda: polynomials(examples=0), "examples must be 1 or more, not 0"),
        (lambda: polynomials(noise=-0.1), "noise=-0.1"),
    ],
)
def test_what_is_no_task_is_told(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_a_union_has_numbers_at_the_place_of_their_outputs():
    first = TensorExamples(torch.zeros(2, 1), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    second = TensorExamples(torch.zeros(1, 1), torch.tensor([5.0]))
    union = UnionExamples([first, second], [slice(0, 2), slice(2, 3)], 3)
    _, targets = union.take(torch.tensor([2, 1]))
    nan = float("nan")
    torch.testing.assert_close(targets, torch.tensor([[nan, nan, 5.0], [3.0, 4.0, nan]]), equal_nan=True)
