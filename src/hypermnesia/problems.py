"""What is asked of an input, and all that follows from it: one of a few classes, or numbers."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from hypermnesia.errors import DataError

Targets = Int64[Tensor, " inputs"] | Float[Tensor, "inputs numbers"]
"""What is known of inputs: class numbers from 0 on, or numbers."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """How answers are judged.

    Args:
        name: In files and settings.
        label: In tables and pictures, with its unit.
        factor: Between a value and what is shown of it.
        unit: Behind it.
        decimals: That are shown.
        more_is_better: Whether it is.

    Example:
        >>> ACCURACY.show(0.98765), ERROR.show(0.0042)
        ('98.77 %', '0.0042')
    """

    name: str
    label: str
    factor: float
    unit: str
    decimals: int
    more_is_better: bool

    @property
    def sign(self) -> int:
        """Times a value: more is then better."""
        return 1 if self.more_is_better else -1

    def show(self, value: float) -> str:
        """A value as people read it."""
        return f"{self.factor * value:.{self.decimals}f}{self.unit}"


ACCURACY = Metric("accuracy", "test accuracy (%)", 100.0, " %", 2, True)
ERROR = Metric("error", "mean squared error on test data", 1.0, "", 4, False)


class Problem(ABC):
    """What outputs of a network stand for: a distribution of the target, which is known up to its parameters."""

    name: str
    metric: Metric

    @abstractmethod
    def loss(self, outputs: Float[Tensor, "inputs outputs"], targets: Targets) -> Float[Tensor, ""]:
        """What is made small: minus the log-likelihood, up to constants, averaged over inputs."""

    @abstractmethod
    def merit(self, outputs: Float[Tensor, "inputs outputs"], targets: Targets) -> Float[Tensor, " inputs"]:
        """For each input what its metric is the mean of."""

    @abstractmethod
    def log_likelihood(self, outputs: Float[Tensor, " outputs"], target: Tensor) -> Float[Tensor, ""]:
        """Of one target; up to a constant."""

    @abstractmethod
    def sample(self, outputs: Float[Tensor, "inputs outputs"], generator: torch.Generator | None) -> Targets:
        """Targets that the outputs make likely, drawn on the CPU, so that every device draws the same."""

    @abstractmethod
    def information(self, outputs: Float[Tensor, "*inputs outputs"]) -> tuple[Tensor, Tensor]:
        """Numbers v and weights w of each input, for which Σ_i w_i (∂v_i/∂θ)² is the Fisher information's diagonal."""


class Classification(Problem):
    """Outputs are logits of classes.

    Example:
        >>> CLASSIFICATION.merit(torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1]))
        tensor([1., 0.])
    """

    name = "classification"
    metric = ACCURACY

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, targets)

    def merit(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.argmax(1) == targets).float()

    def log_likelihood(self, outputs: Tensor, target: Tensor) -> Tensor:
        return outputs.log_softmax(-1).gather(0, target[None])[0]

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        probabilities = outputs.softmax(-1).cpu()
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0].to(outputs.device)

    def information(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        log_p = outputs.log_softmax(-1)
        return log_p, log_p.exp()


class Regression(Problem):
    """Outputs are numbers, the means of normal distributions with variance one.

    Example:
        >>> REGRESSION.merit(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.5], [2.0]]))
        tensor([0.2500, 0.0000])
    """

    name = "regression"
    metric = ERROR

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs, targets.to(outputs.dtype))

    def merit(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets.to(outputs.dtype)).square().mean(1)

    def log_likelihood(self, outputs: Tensor, target: Tensor) -> Tensor:
        return -(outputs - target).square().sum() / 2

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        noise = torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype)
        return outputs + noise.to(outputs.device)

    def information(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        return outputs, torch.ones_like(outputs)


CLASSIFICATION, REGRESSION = Classification(), Regression()
PROBLEMS: dict[str, Problem] = {problem.name: problem for problem in (CLASSIFICATION, REGRESSION)}
"""By name."""
BOTH: tuple[Problem, ...] = (CLASSIFICATION, REGRESSION)


def problem_of(targets: Tensor) -> Problem:
    """What targets ask: integers are classes, floating-point numbers are numbers.

    Raises:
        DataError: They are neither.

    Example:
        >>> problem_of(torch.tensor([0, 1])).name, problem_of(torch.tensor([0.5])).name
        ('classification', 'regression')
    """
    if targets.is_complex() or targets.dtype == torch.bool:
        raise DataError(
            f"Labels must be integers (class numbers from 0 on) or floating-point numbers (to be predicted), not"
            f" {targets.dtype}; convert them first."
        )
    return REGRESSION if targets.is_floating_point() else CLASSIFICATION
