"""From settings to a replay model."""

from __future__ import annotations

import torch

from hypermnesia.replay.gan import GAN
from hypermnesia.replay.model import ReplayModel
from hypermnesia.replay.self_replaying import SelfReplayingVAE
from hypermnesia.replay.settings import GANSettings, ReplayModelSettings, SelfReplayingVAESettings, VAESettings
from hypermnesia.replay.vae import VAE
from hypermnesia.seeds import Seeds
from hypermnesia.training.settings import TrainingSettings


def make_replay_model(
    settings: ReplayModelSettings,
    input_shape: tuple[int, ...],
    training: TrainingSettings,
    seeds: Seeds,
    device: torch.device,
) -> ReplayModel:
    """The replay model that the settings describe, for inputs of this shape; it knows no task yet.

    Example:
        >>> model = make_replay_model(VAESettings(), (8,), TrainingSettings(), Seeds(0), torch.device("cpu"))
        >>> model.num_tasks
        0
    """
    match settings:
        case VAESettings():
            return VAE(input_shape, settings, training, seeds, device)
        case GANSettings():
            return GAN(input_shape, settings, training, seeds, device)
        case SelfReplayingVAESettings():
            return SelfReplayingVAE(input_shape, settings, training, seeds, device)
