"""Regression tasks: each is a polynomial on an interval of its own, learned from noisy examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hypermnesia.arguments import whole_number
from hypermnesia.errors import ConfigurationError
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.tensor_examples import TensorExamples


@dataclasses.dataclass(frozen=True)
class Polynomial:
    """A polynomial of one variable on an interval.

    Args:
        coefficients: Coefficients of x⁰, x¹, x², …
        low: Lower end of the interval.
        high: Upper end of the interval.

    Raises:
        ConfigurationError: There is no coefficient, or the interval is empty.

    Example:
        >>> Polynomial((-1, 0, 2), -1, 1)(torch.tensor([0.0, 1.0]))
        tensor([-1.,  1.])
    """

    coefficients: tuple[float | int, ...]
    low: float | int
    high: float | int

    def __post_init__(self) -> None:
        if not self.coefficients:
            raise ConfigurationError("a polynomial needs coefficients, of x⁰, x¹, x² and so on; 0 alone is one")
        if not self.low < self.high:
            raise ConfigurationError(f"an interval must begin before it ends, not {self.low} to {self.high}")

    def __call__(self, x: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
        """Evaluate the polynomial at every element of `x`."""
        y = torch.zeros_like(x)
        for coefficient in reversed(self.coefficients):  # Horner's scheme
            y = y * x + coefficient
        return y

    def __str__(self) -> str:
        terms = []
        for power, coefficient in reversed(list(enumerate(self.coefficients))):
            variable = f"x{str(power).translate(_RAISED) if power > 1 else ''}" if power else ""
            if coefficient:
                number = "" if variable and abs(coefficient) == 1 else f"{abs(coefficient):g}"
                terms.append(f"{'−' if coefficient < 0 else '+'}{number}{variable}")
        return "".join(terms).removeprefix("+") or "0"


_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

TOY: tuple[Polynomial, ...] = (
    Polynomial((3, 1), -4, -2),
    Polynomial((-1, 0, 2), -1, 1),
    Polynomial((-27, 27, -9, 1), 2, 4),
)
"""The polynomials x + 3, 2x² − 1 and (x − 3)³ on adjacent intervals.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, section 4, toy regression."""


def polynomials(
    functions: Sequence[Polynomial] = TOY,
    *,
    examples: int = 100,
    noise: float | int = 0.05,
    validation: int = 0,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> list[Task]:
    """Make a regression task of each polynomial: predict y = p(x) from x, having learned from y + noise.

    Test and validation examples are without noise, so that an error of zero is possible.

    Args:
        functions: Polynomials, one a task.
        examples: Number of training examples, and of test examples, drawn uniformly from the interval.
        noise: Standard deviation of the noise on the targets of training examples.
        validation: Number of validation examples.
        device: Device that holds the examples.
        seed: Root of all randomness in here.

    Raises:
        ConfigurationError: A number is out of range.

    Example:
        >>> [task.name for task in polynomials()]
        ['x+3 on [−4, −2]', '2x²−1 on [−1, 1]', 'x³−9x²+27x−27 on [2, 4]']
    """
    examples = whole_number(examples, "examples", least=1)
    validation = whole_number(validation, "validation", least=0)
    if noise < 0:
        raise ConfigurationError(f"noise={noise} is not possible: it is a standard deviation, 0 or more")
    seeds = Seeds(seed)

    def draw(number: int, split: str, count: int, noise: float | int = 0) -> TensorExamples:
        function = functions[number]
        generator = seeds.child("polynomial", number, split).generator()
        x = function.low + (function.high - function.low) * torch.rand(count, 1, generator=generator)
        y = function(x) + noise * torch.randn(count, 1, generator=generator)
        return TensorExamples(x.to(device), y.to(device))

    return [
        Task(
            name=f"{function} on [{function.low:g}, {function.high:g}]".replace("-", "−"),
            train=draw(number, "train", examples, noise),
            test=draw(number, "test", examples),
            validation=draw(number, "validation", validation) if validation else None,
        )
        for number, function in enumerate(functions)
    ]
