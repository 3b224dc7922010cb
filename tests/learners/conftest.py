"""Tasks that contradict each other, in [0, 1] as replay needs them, and small learners for them."""

from typing import Any

import pytest
import torch
from torch import nn

from hypermnesia.learners import ContinualLearner, ReplayLearner, TaskInferenceLearner

HYPERNETWORK = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (10,), "chunk_size": 100, "beta": 10.0}
REPLAY_MODEL = {
    "kind": "vae",
    "latent_dim": 4,
    "condition_dim": 4,
    "hidden": (20,),
    "encoder_hidden": (20,),
    "hypernetwork": HYPERNETWORK,
}
FEATURES = 28


def _examples(task: int, classes: int = 2, count: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    """Well separated classes: some pixels say which task it is, others which class, in every task differently."""
    generator = torch.Generator().manual_seed(task)
    labels = torch.arange(count) % classes
    bright = torch.eye(7)[(labels + task) % classes] + torch.eye(7)[3 + task]
    noise = 0.05 * torch.randn(count, FEATURES, generator=generator)
    return (0.1 + 0.8 * bright.repeat(1, FEATURES // 7) + noise).clamp(0, 1), labels


def _module(outputs: int = 2, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, outputs))


def _make(kind: type[ContinualLearner], module: nn.Module | None = None, **settings: Any) -> ContinualLearner:
    training = {"iterations": 160, "learning_rate": 0.01, "batch_size": 32, **settings.pop("training", {})}
    replay = {"model": {**REPLAY_MODEL, **settings.pop("model", {})}, **settings.pop("replay", {})}
    if kind is TaskInferenceLearner:
        replay, settings = {"temperature": None, **replay}, {**HYPERNETWORK, **settings}
    return kind(module or _module(), replay=replay, training=training, **settings)


@pytest.fixture(scope="session")
def examples():
    """Inputs and labels of a task by its number, below four."""
    return _examples


@pytest.fixture(scope="session")
def module():
    """A network for them."""
    return _module


@pytest.fixture(scope="session")
def make():
    """A learner with replay of that class, which learns each of these tasks in a moment."""
    return _make


@pytest.fixture(scope="session", params=[ReplayLearner, TaskInferenceLearner], ids=["R", "TIR"])
def kind(request) -> type[ContinualLearner]:
    """Each learner with replay."""
    return request.param
