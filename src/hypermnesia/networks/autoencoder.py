"""A variational autoencoder as one module, from inputs to a bound of their negative log-likelihoods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia.networks.perceptron import ActivationName, mlp

Distribution = Literal["bernoulli", "normal"]

_LARGEST_LOG_VARIANCE, _LARGEST_LOG_SCALE = 8.0, 4.0
_HALF_LOG_TWO_PI = math.log(2 * math.pi) / 2


class VariationalAutoencoder(nn.Module):
    """Variational autoencoder; gives an upper bound of the negative log-likelihood of each input.

    The bound (the negative evidence lower bound) is the reconstruction loss plus the divergence of the latents from
    N(0, 1), both divided by the input's number of elements. In training mode the latents are drawn; else they are the
    encoder's means, so that the same input always gets the same value.

    Source: Kingma and Welling, Auto-encoding variational Bayes, 2014.

    Args:
        numbers: Number of elements of one input.
        latent_dim: Number of latent variables.
        encoder_hidden: Widths of the encoder's hidden layers.
        decoder_hidden: Widths of the decoder's hidden layers.
        activation: Activation function between all layers.
        distribution: Distribution of an input given its reconstruction: `bernoulli`, for inputs in [0, 1], or
            `normal`, for any inputs, with one learned standard deviation.

    Example:
        >>> VariationalAutoencoder(64, latent_dim=8)(torch.rand(5, 1, 8, 8)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        numbers: int,
        *,
        latent_dim: int = 100,
        encoder_hidden: Sequence[int] = (400, 400),
        decoder_hidden: Sequence[int] = (250, 350),
        activation: ActivationName = "relu",
        distribution: Distribution = "bernoulli",
    ) -> None:
        super().__init__()
        # The logarithm of the standard deviation.
        self.log_scale = nn.Parameter(torch.zeros(1)) if distribution == "normal" else None
        self.encoder = mlp(numbers, encoder_hidden, 2 * latent_dim, activation)
        self.decoder = mlp(latent_dim, decoder_hidden, numbers, activation)

    def forward(self, inputs: Tensor) -> Float[Tensor, " inputs"]:
        """Return the bound for each input."""
        inputs = inputs.flatten(1)
        mean, log_variance = self.encoder(inputs).chunk(2, dim=1)
        # Variances from exp(-8) to exp(8): generated for a task not learned yet, an encoder may say anything.
        log_variance = _LARGEST_LOG_VARIANCE * (log_variance / _LARGEST_LOG_VARIANCE).tanh()
        latents = mean + (log_variance / 2).exp() * torch.randn_like(mean) if self.training else mean
        reconstruction = self._surprise(self.decoder(latents), inputs)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        bound: Tensor = reconstruction.mean(1) + divergence / inputs.shape[1]
        return bound

    def _surprise(self, reconstruction: Tensor, inputs: Tensor) -> Tensor:
        """The negative log-likelihood of each element given its reconstruction."""
        if self.log_scale is None:
            return functional.binary_cross_entropy_with_logits(reconstruction, inputs, reduction="none")
        # From exp(-4) to exp(4), for the same reason as the variances.
        log_scale = _LARGEST_LOG_SCALE * (self.log_scale / _LARGEST_LOG_SCALE).tanh()
        return ((inputs - reconstruction) / log_scale.exp()).square() / 2 + log_scale + _HALF_LOG_TWO_PI
