"""Normalized images of three channels, in every learner that has an autoencoder, with and without convolutions."""

import copy
import functools
from pathlib import Path
from typing import Any

import pytest
import torch

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError
from hypermnesia.learners import METHODS, ContinualLearner, LikelihoodLearner, score
from hypermnesia.networks import mlp
from hypermnesia.settings import Settings
from tests.nested import equal
from tests.stopping import Stopped, stop_at

SHAPE = (3, 8, 9)
COUNT = 60
HYPERNETWORK = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (10,), "chunk_size": 400, "beta": 10.0}
CODE = {"latent_dim": 4, "encoder_hidden": (20,), "distribution": "normal"}
VAE = {"kind": "vae", **CODE, "condition_dim": 2, "hidden": (20,), "hypernetwork": HYPERNETWORK}
SELF_REPLAYING = {"kind": "self-replaying-vae", **CODE, "encoder_hidden": (40,), "decoder_hidden": (40,)}
GAN = {"kind": "gan", "latent_dim": 4, "hidden": (20,), "discriminator_hidden": (20,), "hypernetwork": HYPERNETWORK}
LIKELIHOOD = {**CODE, "decoder_hidden": (20,), "hypernetwork": HYPERNETWORK}
SETTINGS: dict[str, dict[str, Any]] = {
    "hnet-r": {"replay": {"model": VAE}},
    "hnet-tir": {**HYPERNETWORK, "replay": {"model": VAE}},
    "dgr": {"replay": {"model": SELF_REPLAYING, "weight": "equal", "temperature": None}},
    "dgr-distill": {"replay": {"model": SELF_REPLAYING, "weight": "equal"}},
    "hnet-likelihood": {**HYPERNETWORK, "likelihood": LIKELIHOOD},
}
"""Of each method with a distribution of inputs."""
CHANNELS: dict[str, tuple[int, ...]] = {"perceptron": (), "convolutional": (6, 8)}


@functools.cache
def task(number: int) -> hm.Task:
    """Of every task a square is in another place, of every class it has another color."""
    generator = torch.Generator().manual_seed(number)
    labels = torch.arange(COUNT) % 2
    inputs = 0.3 * torch.randn(COUNT, *SHAPE, generator=generator) - 0.5
    place = 4 * number
    inputs[torch.arange(COUNT), (number + labels) % 3, place : place + 4, 2:7] += 2.5
    return hm.Task.of((inputs, labels), test=(inputs, labels), name=f"square {number}")


def make(method: str, channels: tuple[int, ...], **training: Any) -> ContinualLearner:
    settings = copy.deepcopy(SETTINGS[method])
    section = settings.get("likelihood") or settings["replay"]["model"]
    section["channels"] = channels
    torch.manual_seed(0)
    training = {"iterations": 100, "learning_rate": 0.01, "batch_size": 32, **training}
    return METHODS[method].learner(mlp(3 * 8 * 9, (16,), 2), training=training, **settings)


@functools.cache
def learned(method: str, channels: tuple[int, ...]) -> ContinualLearner:
    """Of two tasks; nobody may change it."""
    learner = make(method, channels)
    for number in range(2):
        learner.learn(task(number))
    return learner


pytestmark = [
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.parametrize("channels", CHANNELS.values(), ids=CHANNELS),
]
each_method = pytest.mark.parametrize("method", SETTINGS)


def sections(settings: Settings) -> list[Settings]:
    return [settings, *(each for _, value in settings if isinstance(value, Settings) for each in sections(value))]


def test_no_method_is_left_out(channels):
    made = {name: method.learner.Settings(**method.settings) for name, method in METHODS.items()}
    having = {name for name, each in made.items() if any(hasattr(part, "distribution") for part in sections(each))}
    assert having == set(SETTINGS)


@pytest.mark.slow
@each_method
def test_the_class_among_all_is_known(method, channels):
    learner = learned(method, channels)
    found = [score(learner, task(number).test, number, ("class",)).value["class"] for number in range(2)]
    assert min(found) > 0.75  # chance: 0.25; without replay the first task would be lost


@each_method
def test_replayed_inputs_are_like_real_ones(method, channels):
    learner = learned(method, channels)
    for number in range(2):
        inputs = learner.replay(number, COUNT)
        if method == "hnet-likelihood":
            assert inputs is None
            continue
        real, _ = next(task(number).train.in_order(COUNT))
        assert (inputs.shape, inputs.dtype) == (real.shape, real.dtype)
        assert inputs.min() < -0.3 and inputs.max() > 0.5  # ground and squares are -0.5 and 2
        if method in ("hnet-r", "hnet-tir"):  # the others' are of any task
            assert (inputs.mean(0) - real.mean(0)).abs().mean() < 0.3  # 0.57 between the tasks


@each_method
def test_a_learner_stopped_amid_a_task_goes_on_from_its_file(method, channels, tmp_path: Path):
    whole, stopped = make(method, channels, iterations=6), make(method, channels, iterations=6)
    for number in range(2):
        whole.learn(task(number))
    stopped.learn(task(0))
    with pytest.raises(Stopped):
        stopped.learn(task(1), monitor=stop_at(3))
    stopped.save(tmp_path / "learner")
    torch.manual_seed(5)
    resumed = hm.load(tmp_path / "learner", mlp(3 * 8 * 9, (16,), 2))
    assert resumed.in_progress == 3
    resumed.learn(task(1))
    assert equal(resumed.state_dict(), whole.state_dict())
    inputs, _ = next(task(0).train.in_order(5))
    assert torch.equal(resumed.predict(inputs).outputs, whole.predict(inputs).outputs)
    assert equal(resumed.replay(0, 3), whole.replay(0, 3))


def test_the_likelihood_is_finite_also_of_strange_inputs(channels):
    learner = learned("hnet-likelihood", channels)
    assert isinstance(learner, LikelihoodLearner)
    for scale in (0.0, 1.0, 1e3):
        prediction = learner.predict(scale * torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(0)))
        assert prediction.certainty.isfinite().all() and prediction.probabilities.isfinite().all()
    inputs, _ = next(task(0).train.in_order(COUNT))
    bounds = learner._bounds(inputs)
    assert bounds.isfinite().all()
    assert bounds[0].mean() < bounds[1].mean() - 0.1


@each_method
def test_inputs_that_do_not_fit_convolutions_are_refused_and_change_nothing(method, channels):
    if not channels:
        return
    learner = make(method, channels, iterations=2)
    labels = torch.arange(COUNT) % 2
    flat, small = torch.zeros(COUNT, 3 * 8 * 9), torch.zeros(COUNT, 72, 3, 1)
    for inputs, message in ((flat, "for images"), (small, "2 convolutions.*too many.*leave channels empty")):
        with pytest.raises(ConfigurationError, match=f"channels: .*{message}"):
            learner.learn((inputs, labels))
        assert (learner.num_tasks, learner.in_progress, learner.num_weights) == (
            0,
            None,
            make(method, channels).num_weights,
        )
    learner.learn(task(0))
    assert learner.num_tasks == 1


def test_a_gan_makes_images_from_0_to_1(channels):
    learner = hm.ReplayLearner(
        mlp(3 * 8 * 9, (16,), 2),
        replay={"model": {**GAN, "channels": channels}},
        training={"iterations": 3, "batch_size": 32, "betas": (0, 0.999)},
    )
    for number in range(2):
        inputs, labels = next(task(number).train.in_order(COUNT))
        learner.learn(((inputs / 8 + 0.3).clamp(0, 1), labels))
    for number in range(2):
        replayed = learner.replay(number, 4)
        assert replayed.shape == (4, *SHAPE) and ((replayed > 0) & (replayed < 1)).all()
