"""A variational autoencoder as one module, from inputs to a bound of their negative log-likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from hypermnesia.networks.coding import decoder, encoder
from hypermnesia.networks.distribution import LARGEST_LOG_VARIANCE, Distribution, bounded, fitted_log_scale, surprise
from hypermnesia.networks.perceptron import ActivationName
from hypermnesia.settings import OnlyWith, Settings

Size = Annotated[int, Field(ge=1)]


class AutoencoderSettings(Settings):
    """Settings of a variational autoencoder, whose arguments have the same names."""

    latent_dim: Size = 100
    """Number of latent variables."""
    encoder_hidden: tuple[Size, ...] = (400, 400)
    """Widths of the encoder's hidden layers."""
    decoder_hidden: tuple[Size, ...] = (250, 350)
    """Widths of the decoder's hidden layers."""
    channels: tuple[Size, ...] = ()
    """Number of channels of each convolution between an image and the encoder's hidden layers, and back behind the
    decoder's; each halves height and width. Empty for none."""
    activation: Annotated[ActivationName, OnlyWith(("encoder_hidden", "decoder_hidden", "channels"))] = "relu"
    """Activation function of encoder and decoder."""
    distribution: Distribution = "bernoulli"
    """Distribution of inputs given their reconstruction: `bernoulli` for inputs in [0, 1]; `normal` for any, such as
    normalized images."""


class VariationalAutoencoder(nn.Module):
    """Variational autoencoder; gives an upper bound of the negative log-likelihood of each input.

    The bound (the negative evidence lower bound) is the reconstruction loss plus the divergence of the latents from
    N(0, 1), both divided by the input's number of elements. In training mode the latents are drawn; else they are the
    encoder's means, so that the same input always gets the same value.

    Source: Kingma and Welling, Auto-encoding variational Bayes, 2014.

    Args:
        input_shape: Shape of one input.
        latent_dim: Number of latent variables.
        encoder_hidden: Widths of the encoder's hidden layers.
        decoder_hidden: Widths of the decoder's hidden layers.
        channels: Number of channels of each convolution of the encoder, from the image on, and of the decoder, towards
            the image; empty for perceptrons.
        activation: Activation function between all layers.
        distribution: Distribution of an input given its reconstruction: `bernoulli`, for inputs in [0, 1], or
            `normal`, for any inputs, with one standard deviation for all their numbers.
        deviation: Standard deviation of the normal distribution: `learned`, or `fitted` to each batch, by which single
            inputs cannot be compared.

    Raises:
        ConfigurationError: There are convolutions, but inputs are no images, or too small for so many.

    Example:
        >>> VariationalAutoencoder((1, 8, 8), latent_dim=8)(torch.rand(5, 1, 8, 8)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        *,
        latent_dim: int = 100,
        encoder_hidden: Sequence[int] = (400, 400),
        decoder_hidden: Sequence[int] = (250, 350),
        channels: Sequence[int] = (),
        activation: ActivationName = "relu",
        distribution: Distribution = "bernoulli",
        deviation: Literal["learned", "fitted"] = "learned",
    ) -> None:
        super().__init__()
        learned = distribution == "normal" and deviation == "learned"
        self.log_scale = nn.Parameter(torch.zeros(1)) if learned else None
        self._fitted = distribution == "normal" and deviation == "fitted"
        self.encoder = encoder(input_shape, channels, encoder_hidden, 2 * latent_dim, activation)
        self.decoder = decoder(latent_dim, decoder_hidden, channels, input_shape, activation)

    def forward(self, inputs: Tensor) -> Float[Tensor, " inputs"]:
        """Return the bound for each input."""
        inputs = inputs.flatten(1)
        mean, log_variance = self.encoder(inputs).chunk(2, dim=1)
        log_variance = bounded(log_variance, LARGEST_LOG_VARIANCE)
        latents = mean + (log_variance / 2).exp() * torch.randn_like(mean) if self.training else mean
        outputs = self.decoder(latents)
        log_scale = fitted_log_scale(outputs, inputs) if self._fitted else self.log_scale
        reconstruction = surprise(outputs, inputs, log_scale)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
        bound: Tensor = reconstruction.mean(1) + divergence / inputs.shape[1]
        return bound
