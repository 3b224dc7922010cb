"""A variational autoencoder as replay model."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from hypermnesia.networks.mlp import mlp
from hypermnesia.replay.model import Generate, ReplayModel
from hypermnesia.replay.settings import VAESettings
from hypermnesia.seeds import Seeds
from hypermnesia.training.settings import TrainingSettings


class VAE(ReplayModel):
    """A variational autoencoder; its decoder is the generator, its encoder the companion.

    The loss is the mean binary cross-entropy of a pixel, plus the divergence of the latents from N(0, 1) per pixel.

    Source: Kingma and Welling, Auto-encoding variational Bayes, 2014; settings of von Oswald et al., ICLR 2020.

    Args:
        input_shape: Of one input, with numbers in [0, 1].
        settings: Of encoder, decoder and hypernetwork.
        training: Precision and compilation of the forward pass.
        seeds: Root of all chance in here.
        device: Where to compute.

    Example:
        >>> vae = VAE((1, 8, 8), VAESettings(), TrainingSettings(), Seeds(0), torch.device("cpu"))
        >>> vae.begin_task()
        >>> vae.end_task()
        >>> vae.replay(0, vae.latents(3, torch.Generator())).shape
        torch.Size([3, 1, 8, 8])
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        settings: VAESettings,
        training: TrainingSettings,
        seeds: Seeds,
        device: torch.device,
    ) -> None:
        with seeds.child("encoder").default_generator():
            numbers = math.prod(input_shape)
            encoder = mlp(numbers, settings.encoder_hidden, 2 * settings.latent_dim, settings.activation)
        super().__init__(encoder, input_shape, settings, training, seeds, device)

    def _loss(self, generate: Generate, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        mean, log_variance = self._companion(inputs).chunk(2, dim=1)
        latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        reconstruction = functional.binary_cross_entropy_with_logits(generate(latents), inputs)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum() / (2 * inputs.numel())
        return reconstruction + divergence, {"reconstruction": reconstruction, "divergence": divergence}
