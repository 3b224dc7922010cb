"""A variational autoencoder as replay model."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from hypermnesia.inputs import Shape
from hypermnesia.networks.coding import encoder
from hypermnesia.networks.distribution import LARGEST_LOG_VARIANCE, bounded, expectation, fitted_log_scale, surprise
from hypermnesia.replay.protected import Generate, ProtectedReplayModel
from hypermnesia.replay.settings import VAESettings
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task
from hypermnesia.training.settings import TrainingSettings


class VAE(ProtectedReplayModel):
    """A variational autoencoder; its decoder is the generator, its encoder the auxiliary network.

    The loss is the mean negative log-likelihood of a pixel given its reconstruction (the binary cross-entropy, as
    published, or that of a normal distribution whose deviation fits the batch), plus the divergence of the latents from
    their prior per pixel.
    The prior is N(0, 1), as published; or a normal distribution for each class, learned by the same loss and kept, two
    numbers a latent. Then the class that a replayed input was made for is known, and inputs are made where those
    of its class were: the latents of a few classes leave much of N(0, 1) empty, from where no likeness comes.

    Source: Kingma and Welling, Auto-encoding variational Bayes, 2014; settings of von Oswald et al., ICLR 2020. A
    prior for each class: after van de Ven, Siegelmann and Tolias, Brain-inspired replay, Nature Communications 2020.

    Args:
        input_shape: Shape of one input.
        settings: Settings of encoder, decoder and hypernetwork.
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
            auxiliary = encoder(
                input_shape, settings.channels, settings.encoder_hidden, 2 * settings.latent_dim, settings.activation
            )
        super().__init__(auxiliary, input_shape, settings, training, seeds, device)
        self._seeds = seeds
        self._distribution = settings.distribution
        self._class_priors = settings.prior == "class"
        # Mean and logarithm of the variance of each class's latents, `[2, classes, latent]`, one a task.
        self._priors: list[nn.Parameter] = []
        # That of a task that was reopened, as it was before.
        self._prior_before: nn.Parameter | None = None

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept."""
        return super().num_weights + sum(prior.numel() for prior in self._priors)

    def begin_task(self, outputs: int = 1, input_shape: Shape = ()) -> None:
        """Make room for one more task with that number of classes."""
        if self._class_priors:
            # Not quite equal, so that classes can part.
            generator = self._seeds.child("prior", len(self._priors)).generator()
            means = torch.randn(outputs, self._settings.latent_dim, dtype=torch.float32, generator=generator)
            prior = torch.stack([0.1 * means, torch.zeros_like(means)])
            self._priors.append(nn.Parameter(prior.to(self._device)))
        super().begin_task(outputs, input_shape)

    def reopen_task(self, task: int) -> None:
        """Go back to a task that was learned."""
        super().reopen_task(task)
        if self._class_priors:
            self._prior_before = self._priors[task]
            self._priors[task] = nn.Parameter(self._prior_before.detach().clone())

    def forget_task(self, task: int) -> None:
        """Drop the embedding of a task and the latents of its classes."""
        super().forget_task(task)
        if self._class_priors:
            self._priors[task] = nn.Parameter(self._priors[task].detach().new_empty(0), requires_grad=False)

    def end_task(self, task: Task | None = None) -> None:
        """Keep what was learned of the task."""
        super().end_task()
        self._prior_before = None
        for prior in self._priors:
            prior.requires_grad_(False)

    def abandon_task(self) -> None:
        """Go back to before the task was begun."""
        if self._prior_before is not None:
            self._priors[self._network.current], self._prior_before = self._prior_before, None
        super().abandon_task()
        del self._priors[self.num_tasks :]

    def labels(self, task: int, number: int) -> Int64[Tensor, " number"] | None:
        """The classes, within a task, that the rows of a replay of so many are made for: in turns."""
        if not self._class_priors:
            return None
        return torch.arange(number, device=self._device) % self._priors[task].shape[1]

    def state(self) -> dict[str, Any]:
        """State of the model, also in the middle of a task."""
        return {**super().state(), "priors": list(self._priors), "prior_before": self._prior_before}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state` returned."""
        super().load_state(state)
        learned = [nn.Parameter(prior.to(self._device, copy=True), requires_grad=False) for prior in state["priors"]]
        before = state["prior_before"]
        self._priors = learned
        self._prior_before = None if before is None else nn.Parameter(before.to(self._device, copy=True), False)
        for prior in self._learned_priors():
            prior.requires_grad_(True)

    def _loss(self, generate: Generate, inputs: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        mean, log_variance = self._auxiliary(inputs).chunk(2, dim=1)
        if self._distribution == "normal":
            # As published, variances have no bounds. Large inputs, such as normalized ones, need some.
            log_variance = bounded(log_variance, LARGEST_LOG_VARIANCE)
        latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        outputs = generate(latents)
        log_scale = fitted_log_scale(outputs, inputs) if self._distribution == "normal" else None
        reconstruction = surprise(outputs, inputs, log_scale, "mean")
        if self._class_priors:
            # The divergence from N(m, s²) is that of the standardized latents from N(0, 1).
            prior_mean, prior_log_variance = self._priors[self._network.current][:, labels]
            mean = (mean - prior_mean) * (-prior_log_variance / 2).exp()
            log_variance = log_variance - prior_log_variance
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum() / (2 * inputs.numel())
        return reconstruction + divergence, {"reconstruction": reconstruction, "divergence": divergence}

    def _expected(self, outputs: Tensor) -> Tensor:
        return expectation(outputs, self._distribution)

    def _learned_along(self) -> dict[str, nn.Parameter]:
        return {**super()._learned_along(), **{f"prior.{n}": p for n, p in enumerate(self._learned_priors())}}

    def _learned_priors(self) -> list[nn.Parameter]:
        """The prior of the task that is being learned, if there are any."""
        new = self._priors[self.num_tasks :]
        return new if self._prior_before is None else [self._priors[self._network.current]]

    def _placed(self, task: int, noise: Tensor) -> Tensor:
        labels = self.labels(task, len(noise))
        if labels is None:
            return noise
        mean, log_variance = self._priors[task][:, labels]
        placed: Tensor = mean + (log_variance / 2).exp() * noise
        return placed
