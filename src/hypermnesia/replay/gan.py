"""A generative adversarial network as replay model."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from hypermnesia.networks.coding import encoder
from hypermnesia.replay.protected import Generate, ProtectedReplayModel
from hypermnesia.replay.settings import GANSettings
from hypermnesia.seeds import Seeds
from hypermnesia.training.settings import TrainingSettings


class GAN(ProtectedReplayModel):
    """A generative adversarial network as replay model; its discriminator is the auxiliary network.

    Generator and discriminator take their steps at the same time, each with the gradient of its own binary
    cross-entropy: the generator's for inputs that pass for real (the non-saturating loss), the discriminator's for
    telling both apart. The discriminator's loss includes γ/2 · E‖∇D(x)‖² over real inputs x. Without that penalty, or
    with momentum (Adam's usual averages of the gradient), the discriminator wins at once on MNIST, and all generated
    inputs are alike: train with `betas=(0, 0.999)`. A learning rate that falls in each task keeps past tasks better.

    Source: Goodfellow et al., Generative adversarial nets, 2014; as a replay model von Oswald et al., ICLR 2020,
    appendix. The penalty: Mescheder, Geiger and Nowozin, Which training methods for GANs do actually converge?,
    ICML 2018, equation 9.

    Args:
        input_shape: Shape of one input, whose elements lie in [0, 1].
        settings: Settings of generator, discriminator and hypernetwork.
        training: Settings of precision and compilation of the forward pass.
        seeds: Root of all randomness in here.
        device: Device to compute on.

    Example:
        >>> gan = GAN((1, 8, 8), GANSettings(), TrainingSettings(), Seeds(0), torch.device("cpu"))
        >>> gan.begin_task()
        >>> gan.end_task()
        >>> gan.replay(0, gan.latents(3, torch.Generator())).shape
        torch.Size([3, 1, 8, 8])
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        settings: GANSettings,
        training: TrainingSettings,
        seeds: Seeds,
        device: torch.device,
    ) -> None:
        with seeds.child("discriminator").default_generator():
            discriminator = encoder(
                input_shape, settings.channels, settings.discriminator_hidden, 1, settings.activation
            )
        super().__init__(discriminator, input_shape, settings, training, seeds, device)
        self._gradient_penalty = settings.gradient_penalty

    def _loss(self, generate: Generate, inputs: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        latents = torch.randn(len(inputs), self._settings.latent_dim, dtype=torch.float32, device=inputs.device)
        made = self._expected(generate(latents))
        # The generator's gradient flows through the discriminator, but not into it, and the other way round.
        frozen = {name: parameter.detach() for name, parameter in self._auxiliary.named_parameters()}
        verdict = functional_call(self._auxiliary, frozen, (made,))
        generator_loss = functional.binary_cross_entropy_with_logits(verdict, torch.ones_like(verdict))
        real, penalty = self._judged(inputs)
        fake = self._auxiliary(made.detach())
        discriminator_loss = (
            functional.binary_cross_entropy_with_logits(real, torch.ones_like(real))
            + functional.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        ) / 2
        scalars = {
            "generator_loss": generator_loss,
            "discriminator_loss": discriminator_loss,
            "gradient_penalty": penalty,
        }
        return generator_loss + discriminator_loss + penalty, scalars

    def _expected(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def _judged(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's verdict on real inputs, and the penalty on its gradient there."""
        inputs = inputs.detach().requires_grad_()
        verdict = self._auxiliary(inputs)
        (slope,) = torch.autograd.grad(verdict.sum(), inputs, create_graph=True)
        return verdict, self._gradient_penalty / 2 * slope.square().sum(dim=1).mean()
