"""Settings of replay models, and of learning from what they replay."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from hypermnesia.networks import ActivationName, AutoencoderSettings, Distribution
from hypermnesia.protection.settings import HypernetworkSettings, Size
from hypermnesia.settings import OnlyWith, Settings


class GeneratorSettings(Settings):
    """Settings of a generator, which turns noise into inputs of a task; its weights come from a hypernetwork."""

    latent_dim: Size = 100
    """Dimension of the noise that an input is generated from."""
    condition_dim: Annotated[int, Field(ge=0)] = 100
    """Number of generator inputs that name the task, as a one-hot vector; 0 for none. A task beyond that number shares
    its input with an earlier one, from which its embedding tells it apart."""
    hidden: tuple[Size, ...] = (250, 350)
    """Widths of the generator's hidden layers."""
    channels: tuple[Size, ...] = ()
    """Number of channels of each convolution between an image and the hidden layers of the encoder or discriminator,
    and back behind the generator's; each halves height and width. Empty for none."""
    activation: Annotated[
        ActivationName, OnlyWith(("hidden", "encoder_hidden", "discriminator_hidden", "channels"))
    ] = "relu"
    """Activation function of the generator and of the encoder or discriminator."""
    hypernetwork: HypernetworkSettings = HypernetworkSettings()
    """Settings of the hypernetwork that generates the generator's weights."""


class VAESettings(GeneratorSettings):
    """Settings of a variational autoencoder whose decoder is protected by a hypernetwork.

    Example:
        >>> VAESettings(hidden=(400, 400)).latent_dim
        100
    """

    kind: Literal["vae"] = "vae"
    encoder_hidden: tuple[Size, ...] = (400, 400)
    """Widths of the hidden layers of the encoder, which serves only the task being learned and is not protected."""
    distribution: Distribution = "bernoulli"
    """Distribution of inputs given their reconstruction: `bernoulli` for inputs in [0, 1]; `normal` for any, such as
    normalized images."""
    prior: Literal["standard", "class"] = "standard"
    """Prior distribution of the latents: `standard` for N(0, 1), `class` for a learned normal distribution a class."""


class GANSettings(GeneratorSettings):
    """Settings of a generative adversarial network whose generator is protected by a hypernetwork.

    Example:
        >>> GANSettings(latent_dim=10).kind
        'gan'
    """

    kind: Literal["gan"] = "gan"
    discriminator_hidden: tuple[Size, ...] = (400, 400)
    """Widths of the hidden layers of the discriminator, which serves only the task being learned and is not
    protected."""
    gradient_penalty: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    """Strength γ of the penalty γ/2 · E‖∇D‖² on the discriminator's gradient; 0 for none."""


class SelfReplayingVAESettings(AutoencoderSettings):
    """Settings of one standard variational autoencoder, which remembers past inputs by learning its own replay.

    Example:
        >>> SelfReplayingVAESettings().kind
        'self-replaying-vae'
    """

    kind: Literal["self-replaying-vae"] = "self-replaying-vae"
    decoder_hidden: tuple[Size, ...] = (400, 400)
    """Widths of the decoder's hidden layers."""


ReplayModelSettings: TypeAlias = Annotated[
    VAESettings | GANSettings | SelfReplayingVAESettings, Field(discriminator="kind")
]


class ReplaySettings(Settings):
    """Settings of replay: the model that imitates past inputs, and how a classifier learns from them.

    Example:
        >>> ReplaySettings(model={"kind": "gan"}).model.kind
        'gan'
    """

    model: ReplayModelSettings = VAESettings()
    """Replay model, which imitates inputs of past tasks."""
    weight: Annotated[float, Field(gt=0, lt=1)] | Literal["equal"] = 0.5
    """Share of replayed inputs in the loss; `equal` gives every task so far the same share."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 2.0
    """Temperature of soft labels: the probabilities that the classifier before the current task gives a replayed input.
    Null for hard labels: the class or task that an input was generated for, or else its likeliest class among those
    that it can have."""


class HardReplaySettings(ReplaySettings):
    """Settings of replay with hard labels by default, for a classifier of tasks.

    Example:
        >>> HardReplaySettings(weight=0.3).temperature is None
        True
    """

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
