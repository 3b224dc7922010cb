"""Uncertainty of a task's network about each input, from which the task is inferred when it is not given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from hypermnesia.errors import ConfigurationError
from hypermnesia.settings import OnlyWith, Settings

Criterion = Literal["entropy", "max-probability", "energy", "agreement"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class InferenceSettings(Settings):
    """Settings of task inference from the outputs of all tasks' networks.

    Example:
        >>> InferenceSettings().copies, InferenceSettings(criterion="agreement").copies
        (1, 5)
    """

    criterion: Criterion = "entropy"
    """Criterion by which a network is unsure: the entropy of its answer, a small largest probability, a high energy, or
    answers that change when noise is added to the task embedding."""
    temperature: Positive = 1.0
    """Temperature of the softmax and of the energy: the logits are divided by it."""
    noise: Annotated[Positive, OnlyWith("criterion", ("agreement",))] = 0.1
    """Standard deviation of the noise added to a task embedding; for `agreement`."""
    samples: Annotated[int, Field(ge=1), OnlyWith("criterion", ("agreement",))] = 4
    """Noisy copies of a task embedding; for `agreement`."""

    @property
    def copies(self) -> int:
        """Networks that must answer for a task: that of its embedding, then those of the embedding's noisy copies."""
        return 1 + self.samples if self.criterion == "agreement" else 1


def uncertainty(
    logits: Float[Tensor, "copies inputs classes"], settings: InferenceSettings
) -> Float[Tensor, " inputs"]:
    """Uncertainty of a task's network about each input: the lower, the likelier the input belongs to the task.

    Args:
        logits: Answers of `settings.copies` networks of one task: the first has the learned embedding, the others
            noisy ones.
        settings: The criterion and its temperature.

    Raises:
        ConfigurationError: If there are more or fewer copies than the criterion needs.

    Example:
        >>> sure, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.1, 0.0]])
        >>> uncertainty(torch.cat([sure, unsure])[None], InferenceSettings()).round(decimals=2)
        tensor([0.0000, 0.6900])
    """
    if len(logits) != settings.copies:
        raise ConfigurationError(
            f"the criterion {settings.criterion!r} needs the answers of {settings.copies} copies of a task's network,"
            f" not of {len(logits)}: make as many as settings.copies says"
        )
    return _CRITERIA[settings.criterion](logits, settings.temperature)


def margin(logits: Float[Tensor, "copies inputs classes"]) -> Float[Tensor, " inputs"]:
    """How far the largest logit of a task's network stands out from the second, for each input.

    Where networks are so sure that their uncertainties round to the same number (a largest probability of 1 - 1e-9 is 1
    in float32), this still tells which is surer: the uncertainty falls with it.

    Args:
        logits: Answers of a task's network, as for :func:`uncertainty`.

    Example:
        >>> margin(torch.tensor([[[40.0, 0.0, 1.0], [2.0, 2.0, 0.0]]]))
        tensor([39.,  0.])
    """
    if logits.shape[-1] < 2:
        return torch.zeros_like(logits[0, :, 0])
    first, second = logits[0].topk(2, dim=-1).values.unbind(-1)
    return first - second


def is_surer(
    uncertainties: Float[Tensor, "*inputs"],
    margins: Float[Tensor, "*inputs"],
    than: tuple[Float[Tensor, "*inputs"], Float[Tensor, "*inputs"]],
) -> Bool[Tensor, "*inputs"]:
    """Whether one network is less unsure than another or, where both are equally so, has the larger margin.

    Args:
        uncertainties: What :func:`uncertainty` says of the one.
        margins: What :func:`margin` says of it.
        than: Both of the other.

    Example:
        >>> than = torch.tensor([0.1, 0.1]), torch.tensor([4.0, 4.0])
        >>> is_surer(torch.tensor([0.1, 0.2]), torch.tensor([5.0, 9.0]), than)
        tensor([ True, False])
    """
    return (uncertainties < than[0]) | ((uncertainties == than[0]) & (margins > than[1]))


def certainty(uncertainties: Float[Tensor, "tasks inputs"]) -> Float[Tensor, " inputs"]:
    """Score of how clearly the least unsure network won: its part of a softmax over tasks of minus the uncertainty.

    It ranks inputs, from one over the number of tasks (all alike) up to 1. It is no calibrated probability that the
    task is right: its range depends on the criterion and on the number of tasks.

    Args:
        uncertainties: What :func:`uncertainty` says for each task, at least one.

    Example:
        >>> certainty(torch.tensor([[0.1, 0.7], [0.6, 0.0]]))
        tensor([0.6225, 0.6682])
    """
    return torch.softmax(-uncertainties, dim=0).amax(0)


def _entropy(logits: Tensor, temperature: float) -> Tensor:
    """Entropy of the predictive distribution.

    Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, HNET+ENT.
    """
    return _shannon_entropy(_probabilities(logits[0], temperature))


def _max_probability(logits: Tensor, temperature: float) -> Tensor:
    """Minus the largest probability.

    Source: Hendrycks and Gimpel, A baseline for detecting misclassified and out-of-distribution examples in neural
    networks, ICLR 2017.
    """
    return -_probabilities(logits[0], temperature).amax(-1)


def _energy(logits: Tensor, temperature: float) -> Tensor:
    """Free energy −T·log Σ exp(logits/T), which sees how large the logits are and not only how they differ.

    Source: Liu et al., Energy-based out-of-distribution detection, NeurIPS 2020, eq. 4.
    """
    return -temperature * torch.logsumexp(logits[0] / temperature, dim=-1)


def _disagreement(logits: Tensor, temperature: float) -> Tensor:
    """Generalized Jensen-Shannon divergence of the copies' answers: networks near the right embedding agree.

    Source: Lin, Divergence measures based on the Shannon entropy, 1991, eq. 5.1, with equal weights.
    """
    probabilities = _probabilities(logits, temperature)
    divergence = _shannon_entropy(probabilities.mean(0)) - _shannon_entropy(probabilities).mean(0)
    return divergence.clamp(min=0)  # rounding could leave it just below


def _probabilities(logits: Tensor, temperature: float) -> Tensor:
    return torch.softmax(logits / temperature, dim=-1)


def _shannon_entropy(probabilities: Tensor) -> Tensor:
    # entr(p) = −p·log p, and 0 at 0: a probability too small for the floating type does no harm.
    terms: Tensor = torch.special.entr(probabilities)
    return terms.sum(-1)


_CRITERIA: dict[Criterion, Callable[[Tensor, float], Tensor]] = {
    "entropy": _entropy,
    "max-probability": _max_probability,
    "energy": _energy,
    "agreement": _disagreement,
}
