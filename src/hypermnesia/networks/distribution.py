"""Distributions of an input given its reconstruction: what an autoencoder's decoder puts out."""

from __future__ import annotations

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from hypermnesia.parallel import mean_of_all

Distribution = Literal["bernoulli", "normal"]
"""`bernoulli` for numbers in [0, 1], of which a decoder puts out logits; `normal` for any numbers, of which it puts out
the means, with one standard deviation for all."""

LARGEST_LOG_VARIANCE = 8.0
"""Bound of the logarithms of the variances of latents: they reach from exp(-8) to exp(8)."""
_LARGEST_LOG_SCALE = 4.0
_HALF_LOG_TWO_PI = math.log(2 * math.pi) / 2


def fitted_log_scale(outputs: Tensor, inputs: Tensor) -> Float[Tensor, "1"]:
    """Return the logarithm of the standard deviation under which inputs are likeliest, given what a decoder put out.

    There the likelihood does not change with the deviation, so that it counts as a constant. No step is too small to
    follow it, as steps of a learned deviation are.

    Source: Rybkin, Daniilidis and Levine, Simple and effective VAE training with calibrated decoders, ICML 2021.

    Args:
        outputs: What the decoder put out for all inputs of a batch.
        inputs: These inputs, of the same shape.

    Example:
        >>> import torch
        >>> fitted_log_scale(torch.zeros(2), torch.tensor([2.0, -2.0])).exp()
        tensor([2.])
    """
    return mean_of_all((inputs - outputs).detach().square()).log().div(2)[None]


def bounded(logarithms: Tensor, largest: float) -> Tensor:
    """Keep logarithms of variances or deviations between two bounds, and small ones nearly as they are.

    Generated for a task not learned yet, or after a step that was too large, they may be anything.

    Args:
        logarithms: Numbers.
        largest: Bound of their absolute values.

    Example:
        >>> import torch
        >>> bounded(torch.tensor([-100.0, 0.1, 100.0]), 8.0)
        tensor([-8.0000,  0.1000,  8.0000])
    """
    return largest * (logarithms / largest).tanh()


def surprise(
    outputs: Float[Tensor, "inputs numbers"],
    inputs: Float[Tensor, "inputs numbers"],
    log_scale: Float[Tensor, "1"] | None,
    reduction: Literal["none", "mean"] = "none",
) -> Tensor:
    """Return the negative log-likelihood of each number of the inputs, given what a decoder put out.

    Args:
        outputs: What the decoder put out.
        inputs: Inputs, flattened.
        log_scale: Logarithm of the standard deviation of normal distributions; None for Bernoulli distributions.
        reduction: Whether to average over all numbers of all inputs.

    Example:
        >>> import torch
        >>> surprise(torch.zeros(1, 2), torch.ones(1, 2), None)
        tensor([[0.6931, 0.6931]])
    """
    if log_scale is None:
        return functional.binary_cross_entropy_with_logits(outputs, inputs, reduction=reduction)
    log_scale = bounded(log_scale, _LARGEST_LOG_SCALE)
    found = ((inputs - outputs) / log_scale.exp()).square() / 2 + log_scale + _HALF_LOG_TWO_PI
    return found.mean() if reduction == "mean" else found


def expectation(outputs: Tensor, distribution: Distribution) -> Tensor:
    """Return the inputs that are expected given what a decoder put out: replayed ones.

    Example:
        >>> import torch
        >>> outputs = torch.tensor([0.0, 3.0])
        >>> expectation(outputs, "bernoulli"), expectation(outputs, "normal")
        (tensor([0.5000, 0.9526]), tensor([0., 3.]))
    """
    return outputs.sigmoid() if distribution == "bernoulli" else outputs
