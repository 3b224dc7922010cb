"""Classification and regression: loss, metric and likelihood of each."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from hypermnesia.errors import DataError

Targets = Int64[Tensor, " inputs"] | Float[Tensor, "inputs targets"]
"""Labels of inputs: class numbers from 0 on, or regression targets."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure by which predictions are judged.

    Args:
        name: Name in files and settings.
        label: Name in tables and charts, with the unit.
        factor: Factor from a value to the number shown.
        unit: Unit shown behind the number.
        decimals: Number of decimals shown.
        more_is_better: Whether a higher value is a better one.

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
        """1 or -1: times this, a higher value is a better one."""
        return 1 if self.more_is_better else -1

    def show(self, value: float) -> str:
        """Write a value as people read it."""
        return f"{self.factor * value:.{self.decimals}f}{self.unit}"


ACCURACY = Metric("accuracy", "test accuracy (%)", 100.0, " %", 2, True)
ERROR = Metric("error", "mean squared error on test data", 1.0, "", 4, False)


class Problem(ABC):
    """Problem type: the distribution of the targets whose parameters a network outputs.

    Attributes:
        name: Name in files and errors.
        metric: Figure by which predictions are judged.
    """

    name: str
    metric: Metric

    def __reduce__(self) -> tuple[Callable[[str], Problem], tuple[str]]:
        """Copies, and what comes out of a pickle, are the problem itself: there is one of each."""
        return _named, (self.name,)

    @abstractmethod
    def loss(
        self, outputs: Float[Tensor, "inputs outputs"], targets: Targets, label_smoothing: float = 0.0
    ) -> Float[Tensor, ""]:
        """Return the loss to minimize: the negative log-likelihood up to constants, averaged over inputs.

        Args:
            outputs: Outputs of the network.
            targets: What they should be.
            label_smoothing: Share of a class's target probability that is spread over all outputs; classes only.
        """

    @abstractmethod
    def merit(self, outputs: Float[Tensor, "inputs outputs"], targets: Targets) -> Float[Tensor, " inputs"]:
        """Return one value for each input; the metric is their mean."""

    @abstractmethod
    def log_likelihood(self, outputs: Float[Tensor, " outputs"], target: Tensor) -> Float[Tensor, ""]:
        """Return the log-likelihood of the target of one input, up to a constant."""

    @abstractmethod
    def sample(self, outputs: Float[Tensor, "inputs outputs"], generator: torch.Generator | None) -> Targets:
        """Draw targets from the distribution of each input, on the CPU, so that every device draws the same."""

    @abstractmethod
    def information(self, outputs: Float[Tensor, "*inputs outputs"]) -> tuple[Tensor, Tensor]:
        """Return values v and weights w of each input: Σ_i w_i (∂v_i/∂θ)² is the diagonal of the Fisher information."""


class Classification(Problem):
    """Classification: outputs are the logits of classes.

    Example:
        >>> CLASSIFICATION.merit(torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1]))
        tensor([1., 0.])
    """

    name = "classification"
    metric = ACCURACY

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)

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
    """Regression: outputs are the means of normal distributions with variance one.

    Example:
        >>> REGRESSION.merit(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.5], [2.0]]))
        tensor([0.2500, 0.0000])
    """

    name = "regression"
    metric = ERROR

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        assert label_smoothing == 0
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
"""Problems by name."""


def _named(name: str) -> Problem:
    return PROBLEMS[name]


BOTH: tuple[Problem, ...] = (CLASSIFICATION, REGRESSION)


def problem_of(targets: Tensor) -> Problem:
    """Return the problem that targets belong to: integers are classes, floating-point numbers regression targets.

    Raises:
        DataError: The targets are neither.

    Example:
        >>> problem_of(torch.tensor([0, 1])).name, problem_of(torch.tensor([0.5])).name
        ('classification', 'regression')
    """
    if targets.is_complex() or targets.dtype == torch.bool:
        raise DataError(
            "Labels must be integers (class numbers from 0 on) or floating-point numbers (regression targets), not"
            f" {targets.dtype}; convert them first."
        )
    return REGRESSION if targets.is_floating_point() else CLASSIFICATION
