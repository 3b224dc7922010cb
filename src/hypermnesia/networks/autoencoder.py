"""The variational autoencoder as one module, from inputs to how unlikely they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia.networks.activations import ActivationName
from hypermnesia.networks.mlp import mlp

_LARGEST_LOG_VARIANCE = 8.0


class VariationalAutoencoder(nn.Module):
    """An encoder and a decoder; gives an upper bound of minus the logarithm of each input's likelihood.

    That is the binary cross-entropy of the reconstruction plus the divergence of the latents from N(0, 1), both per
    number of the input (the negative evidence lower bound). In training mode the latents are drawn; else they are the
    encoder's means, so that the same input always gets the same answer.

    Source: Kingma and Welling, Auto-encoding variational Bayes, 2014.

    Args:
        numbers: In one flattened input, each in [0, 1].
        latent_dim: Numbers that an input is encoded in.
        encoder_hidden: Widths of the encoder's hidden layers.
        decoder_hidden: Likewise of the decoder.
        activation: Between all layers.

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
    ) -> None:
        super().__init__()
        self.encoder = mlp(numbers, encoder_hidden, 2 * latent_dim, activation)
        self.decoder = mlp(latent_dim, decoder_hidden, numbers, activation)

    def forward(self, inputs: Tensor) -> Float[Tensor, " inputs"]:
        """The bound for each input."""
        inputs = inputs.flatten(1)
        mean, log_variance = self.encoder(inputs).chunk(2, dim=1)
        # Variances from exp(-8) to exp(8): generated for a task not learned yet, an encoder may say anything.
        log_variance = _LARGEST_LOG_VARIANCE * (log_variance / _LARGEST_LOG_VARIANCE).tanh()
        latents = mean + (log_variance / 2).exp() * torch.randn_like(mean) if self.training else mean
        reconstruction = functional.binary_cross_entropy_with_logits(self.decoder(latents), inputs, reduction="none")
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        bound: Tensor = reconstruction.mean(1) + divergence / inputs.shape[1]
        return bound
