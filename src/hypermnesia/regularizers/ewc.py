"""Elastic weight consolidation: a quadratic penalty weighted by the Fisher information of past tasks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hypermnesia.regularizers.quadratic import QuadraticPenalty, padded


@torch.no_grad()
def with_task(
    penalty: QuadraticPenalty, fisher: Mapping[str, Tensor], parameters: Mapping[str, Tensor]
) -> QuadraticPenalty:
    """Add ½ Σ_i F_t,i (θ_i − θ_t,i)², the penalty of one more task, to a penalty; the sum is again one parabola.

    The sum over all tasks is exact, yet memory does not grow with their number.
    Completing the square, with `m` the anchor and `F` the importance so far,

        F(θ − m)² + F_t(θ − θ_t)² = (F + F_t)(θ − m')² + F F_t/(F + F_t) · (θ_t − m)²
        m' = m + F_t/(F + F_t) · (θ_t − m)

    of which the last term is constant and goes to the spread.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017, equation 3, summed
    over past tasks.

    Args:
        penalty: Penalty of the earlier tasks; an empty one for the first task.
        fisher: Fisher information F_t by name, each of its parameter's shape, not negative. Other parameters of the
            penalty keep theirs.
        parameters: Parameters θ_t after task t, by name; copied. They may have more rows than those of the penalty.

    Returns:
        A new penalty; the old one stays as it is.

    Example:
        >>> first = with_task(QuadraticPenalty(), {"w": torch.tensor([1.0])}, {"w": torch.tensor([0.0])})
        >>> with_task(first, {"w": torch.tensor([3.0])}, {"w": torch.tensor([4.0])}).anchor["w"].item()
        3.0
    """
    importance, anchor = dict(penalty.importance), dict(penalty.anchor)
    spread = penalty.spread
    for name, new in fisher.items():
        end = parameters[name].detach()
        old, start = padded(penalty.importance.get(name), end), padded(penalty.anchor.get(name), end)
        importance[name] = old + new
        # Where nothing matters to any task yet, the anchor is free.
        share = torch.where(importance[name] > 0, new / importance[name], 1)
        anchor[name] = torch.lerp(start, end, share)
        spread = spread.to(end.device) + (old * share * (end - start).square()).sum()
    return QuadraticPenalty(importance, anchor, spread)


@torch.no_grad()
def online(
    penalty: QuadraticPenalty, fisher: Mapping[str, Tensor], parameters: Mapping[str, Tensor], decay: float
) -> QuadraticPenalty:
    """Make a penalty around the last task's parameters, with a running sum of Fisher information: F' = γF + F_t.

    The penalty is ½ Σ_i F'_i (θ_i − θ_t,i)². Schwarz et al. multiply it by γ once more (equation 8); that factor
    belongs to the strength of the penalty.

    Source: Schwarz et al., Progress & Compress, ICML 2018, equation 9, in the form of van de Ven and Tolias, Three
    scenarios for continual learning, 2019.

    Args:
        penalty: Penalty of the earlier tasks; an empty one for the first task.
        fisher: Fisher information F_t by name, each of its parameter's shape, not negative. Other parameters of the
            penalty keep their anchors, and their importance decays.
        parameters: Parameters θ_t after task t, by name; copied. They may have more rows than those of the penalty.
        decay: Decay γ of earlier importance, in [0, 1].

    Returns:
        A new penalty; the old one stays as it is.

    Example:
        >>> first = online(QuadraticPenalty(), {"w": torch.tensor([2.0])}, {"w": torch.tensor([0.0])}, 0.5)
        >>> online(first, {"w": torch.tensor([3.0])}, {"w": torch.tensor([4.0])}, 0.5).importance["w"].item()
        4.0
    """
    importance = {name: decay * old for name, old in penalty.importance.items()}
    anchor = dict(penalty.anchor)
    for name, new in fisher.items():
        anchor[name] = parameters[name].detach().clone()
        importance[name] = padded(importance.get(name), new) + new
    return QuadraticPenalty(importance, anchor, torch.zeros_like(penalty.spread))
