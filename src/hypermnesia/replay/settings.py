"""The settings of replay models, checked when made."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from hypermnesia.networks.activations import ActivationName
from hypermnesia.protection.settings import HypernetworkSettings, Size
from hypermnesia.settings import Settings


class GeneratorSettings(Settings):
    """What turns noise into inputs of a task: a network that a hypernetwork generates."""

    latent_dim: Size = 100
    """Numbers of noise an input is made of."""
    condition_dim: Annotated[int, Field(ge=0)] = 100
    """Inputs of the generator that say which task is wanted, one of them 1; a task beyond that many shares one with
    an earlier task, from which its own embedding keeps it apart. 0 for none."""
    hidden: tuple[Size, ...] = (250, 350)
    """Widths of the generator's hidden layers."""
    activation: ActivationName = "relu"
    """Of the generator and of what is learned along with it."""
    hypernetwork: HypernetworkSettings = HypernetworkSettings()
    """What generates the generator's weights, and how it is kept from forgetting."""


class VAESettings(GeneratorSettings):
    """A variational autoencoder whose decoder is protected.

    Example:
        >>> VAESettings(hidden=(400, 400)).latent_dim
        100
    """

    kind: Literal["vae"] = "vae"
    encoder_hidden: tuple[Size, ...] = (400, 400)
    """Widths of the encoder's hidden layers; it serves only the task being learned, and is not protected."""
    prior: Literal["standard", "class"] = "standard"
    """Of the latents: N(0, 1), or for each class a normal distribution of its own, learned and kept."""


class GANSettings(GeneratorSettings):
    """A generative adversarial network whose generator is protected.

    Example:
        >>> GANSettings(latent_dim=10).kind
        'gan'
    """

    kind: Literal["gan"] = "gan"
    discriminator_hidden: tuple[Size, ...] = (400, 400)
    """Widths of the discriminator's hidden layers; it serves only the task being learned, and is not protected."""
    gradient_penalty: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    """γ of γ/2 · E‖∇D‖², which keeps the discriminator from winning; 0 for none."""


class SelfReplayingVAESettings(Settings):
    """One plain variational autoencoder, which keeps past inputs by learning its own replay of them.

    Example:
        >>> SelfReplayingVAESettings().kind
        'self-replaying-vae'
    """

    kind: Literal["self-replaying-vae"] = "self-replaying-vae"
    latent_dim: Size = 100
    """Numbers that an input is encoded in."""
    encoder_hidden: tuple[Size, ...] = (400, 400)
    """Widths of the encoder's hidden layers."""
    decoder_hidden: tuple[Size, ...] = (400, 400)
    """Widths of the decoder's hidden layers."""
    activation: ActivationName = "relu"
    """Of encoder and decoder."""


ReplayModelSettings: TypeAlias = Annotated[
    VAESettings | GANSettings | SelfReplayingVAESettings, Field(discriminator="kind")
]


class ReplaySettings(Settings):
    """What replays inputs of past tasks, and what a classifier learns from them.

    Example:
        >>> ReplaySettings(model={"kind": "gan"}).model.kind
        'gan'
    """

    model: ReplayModelSettings = VAESettings()
    """What imitates inputs of past tasks."""
    weight: Annotated[float, Field(gt=0, lt=1)] | Literal["equal"] = 0.5
    """Share of replayed inputs in the loss; `equal` gives every task so far the same."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 2.0
    """Of soft labels: the probabilities that the classifier, as it was before the current task, gives a replayed input.
    Null for hard ones: the class that the input was made for; where that is none, its likeliest class of the task that
    it was made for, or, of a model that does not tell tasks apart, among all that it could be."""


class HardReplaySettings(ReplaySettings):
    """The same with hard labels unless soft ones are asked for: for a classifier of tasks.

    Example:
        >>> HardReplaySettings(weight=0.3).temperature is None
        True
    """

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
