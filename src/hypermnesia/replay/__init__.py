"""Inputs of past tasks, imitated: generators protected by a hypernetwork, and classifiers that learn from them."""

from hypermnesia.replay.classifier import ReplayClassifier, ReplayStream
from hypermnesia.replay.gan import GAN
from hypermnesia.replay.model import ReplayModel
from hypermnesia.replay.self_replaying import SelfReplayingVAE
from hypermnesia.replay.settings import (
    GANSettings,
    HardReplaySettings,
    ReplaySettings,
    SelfReplayingVAESettings,
    VAESettings,
)
from hypermnesia.replay.vae import VAE

__all__ = [
    "GAN",
    "VAE",
    "GANSettings",
    "HardReplaySettings",
    "ReplayClassifier",
    "ReplayModel",
    "ReplaySettings",
    "ReplayStream",
    "SelfReplayingVAE",
    "SelfReplayingVAESettings",
    "VAESettings",
]
