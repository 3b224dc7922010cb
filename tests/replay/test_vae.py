"""The variational autoencoder: its loss against torch.distributions, and what it remembers."""

import copy
from typing import Any

import pytest
import torch
from torch import distributions, nn
from torch.func import functional_call

from hypermnesia.networks.coding import decoder, encoder
from hypermnesia.replay import VAE, VAESettings
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import TensorExamples
from hypermnesia.training import Trainer, TrainingSettings

HYPERNETWORK = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (8,), "chunk_size": 100, "start": "zero"}
CPU = torch.device("cpu")
SHAPE = (1, 3, 3)


def vae(beta: float = 1.0, condition_dim: int = 2, seed: int = 0, **further: Any) -> VAE:
    settings = VAESettings(
        latent_dim=3,
        condition_dim=condition_dim,
        hidden=(12,),
        encoder_hidden=(7,),
        **further,
        hypernetwork={**HYPERNETWORK, "beta": beta},
    )
    return VAE(SHAPE, settings, TrainingSettings(), Seeds(seed), CPU)


def images(task: int, number: int = 64) -> torch.Tensor:
    """Of every task another pair of pixels is bright."""
    generator = torch.Generator().manual_seed(task)
    bright = torch.full((9,), 0.1)
    bright[2 * task : 2 * task + 2] = 0.9
    return (bright + 0.05 * torch.randn(number, 9, generator=generator)).clamp(0, 1).view(-1, *SHAPE)


def learn(model: VAE, task: int, iterations: int = 120) -> None:
    model.begin_task()
    examples = TensorExamples(images(task), torch.zeros(64, dtype=torch.int64))
    settings = TrainingSettings(iterations=iterations, learning_rate=0.02, batch_size=32)
    Trainer(model.objective(), examples, settings, Seeds(task), CPU).run()
    model.end_task()


def encoder_of(model: VAE, channels: tuple[int, ...] = ()) -> nn.Module:
    made = encoder(SHAPE, channels, (7,), 6)
    made.load_state_dict(copy.deepcopy(model.state()["auxiliary"]))
    return made


@pytest.mark.parametrize("channels", [(), (5,)], ids=["perceptron", "convolutional"])
@pytest.mark.parametrize(
    ("condition_dim", "distribution"), [(0, "bernoulli"), (1, "bernoulli"), (4, "bernoulli"), (4, "normal")]
)
def test_the_loss_is_the_surprise_of_a_pixel_and_the_divergence_per_pixel(
    condition_dim, distribution, channels, weights_by_definition
):
    model = vae(condition_dim=condition_dim, distribution=distribution, channels=channels)
    model.begin_task()
    model.end_task()
    model.begin_task()
    inputs = images(1, number=5)
    objective = model.objective()
    objective.prepare(0)
    if distribution == "normal":
        inputs = 6 * inputs - 2

    auxiliary = encoder_of(model, channels)
    mean, log_variance = auxiliary(inputs).split(3, dim=1)
    if distribution == "normal":
        log_variance = 8 * (log_variance / 8).tanh()
    posterior = distributions.Normal(mean, (log_variance / 2).exp())
    torch.manual_seed(3)
    latents = mean + posterior.stddev * torch.randn(5, 3)
    condition = torch.zeros(5, condition_dim)
    if condition_dim:
        condition[:, 1 % condition_dim] = 1
    names = list(model.state()["generator"]["theta"])
    theta, embedding = objective.parameters()[: len(names)], objective.parameters()[len(names)]
    generator = decoder(3 + condition_dim, (12,), channels, SHAPE)
    weights = weights_by_definition(generator, dict(zip(names, theta, strict=True)), embedding)
    outputs = functional_call(generator, weights, (torch.cat([latents, condition], dim=1),))
    if distribution == "bernoulli":
        decoded = distributions.Bernoulli(logits=outputs, validate_args=False)
    else:
        deviation = (outputs - inputs.flatten(1)).square().mean().sqrt().detach()
        decoded = distributions.Normal(outputs, (4 * (deviation.log() / 4).tanh()).exp())
    pixels = decoded.log_prob(inputs.flatten(1))
    divergence = distributions.kl_divergence(posterior, distributions.Normal(0, 1)).sum(1).mean()
    loss = -pixels.mean() + divergence / 9
    expected = torch.autograd.grad(loss, [*auxiliary.parameters()])

    torch.manual_seed(3)
    scalars = objective.accumulate_gradients([(inputs, torch.zeros(5, dtype=torch.int64))], sgd(objective))
    torch.testing.assert_close(scalars["task_loss"], loss.detach())
    torch.testing.assert_close(scalars["reconstruction"], -pixels.mean().detach())
    torch.testing.assert_close(scalars["divergence"], divergence.detach() / 9)
    gradients = [parameter.grad for parameter in objective.parameters()[-len(expected) :]]
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6)


def sgd(objective) -> torch.optim.Optimizer:
    return torch.optim.SGD(objective.parameters(), lr=0.1)


def test_old_tasks_are_replayed_as_before_but_not_without_the_regularizer():
    """Also where tasks share a condition: their embeddings keep them apart."""

    def learned(beta: float) -> tuple[VAE, float]:
        """Two tasks, and how far the replay of the first has moved while the second was learned."""
        model = vae(beta, condition_dim=1)
        learn(model, 0)
        early = model.replay(0, latents)
        learn(model, 1)
        return model, (model.replay(0, latents) - early).abs().mean().item()

    latents = vae().latents(50, torch.Generator().manual_seed(0))
    model, moved = learned(beta=1.0)
    for task in range(2):
        assert (model.replay(task, latents).mean(0) - images(task).mean(0)).abs().max() < 0.15
    assert moved < 0.03
    assert learned(beta=0.0)[1] > 0.1


def test_while_a_task_is_learned_the_others_are_replayed_as_before_it():
    model = vae(beta=0.0)
    learn(model, 0, iterations=5)
    latents = model.latents(4, torch.Generator().manual_seed(0))
    before = model.replay(0, latents)
    assert before.shape == (4, *SHAPE)
    model.begin_task()
    examples = TensorExamples(images(1), torch.zeros(64, dtype=torch.int64))
    settings = TrainingSettings(iterations=5, learning_rate=0.02, batch_size=32)
    Trainer(model.objective(), examples, settings, Seeds(1), CPU).run()
    assert torch.equal(model.replay(0, latents), before)
    model.end_task()
    assert not torch.equal(model.replay(0, latents), before)


def test_the_divergence_is_that_from_the_prior_of_the_class():
    model = vae(prior="class")
    model.begin_task(outputs=2)
    model.end_task()
    model.begin_task(outputs=3)
    objective = model.objective()
    prior = objective.parameters()[-1]
    assert prior.shape == (2, 3, 3)  # mean and logarithm of the variance, of classes, of latents
    with torch.no_grad():
        prior.add_(torch.randn(prior.shape, generator=torch.Generator().manual_seed(1)))
    inputs, labels = images(1, number=5), torch.tensor([0, 2, 1, 1, 0])
    mean, log_variance = encoder_of(model)(inputs).split(3, dim=1)
    posterior = distributions.Normal(mean, (log_variance / 2).exp())
    of_class = distributions.Normal(prior[0, labels], (prior[1, labels] / 2).exp())
    divergence = distributions.kl_divergence(posterior, of_class).sum(1).mean() / 9
    (expected,) = torch.autograd.grad(divergence, prior)
    objective.prepare(0)
    scalars = objective.accumulate_gradients([(inputs, labels)], sgd(objective))
    torch.testing.assert_close(scalars["divergence"], divergence.detach())
    torch.testing.assert_close(prior.grad, expected, rtol=1e-4, atol=1e-6)


def test_with_a_prior_for_each_class_inputs_are_made_of_the_class_that_is_said():
    """Two classes of opposite brightness; before and after another task."""

    def opposite(task: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.arange(64) % 2
        return torch.where(labels.view(-1, 1, 1, 1) == 1, 1 - images(task), images(task)), labels

    model = vae(prior="class", seed=1)
    settings = TrainingSettings(iterations=120, learning_rate=0.02, batch_size=32)
    for task in range(2):
        model.begin_task(outputs=2)
        Trainer(model.objective(), TensorExamples(*opposite(task)), settings, Seeds(task), CPU).run()
        model.end_task()
    for task in range(2):
        samples = model.replay(task, model.latents(40, torch.Generator().manual_seed(0)))
        inputs, labels = opposite(task)
        made_for = model.labels(task, 40)
        assert made_for.tolist() == [0, 1] * 20
        for label in range(2):
            of_class = samples[made_for == label].mean(0) - inputs[labels == label].mean(0)
            assert of_class.abs().mean() < 0.25  # 0.4 if classes were mixed up, 0.8 if exchanged


def test_priors_of_past_tasks_stay_and_every_number_counts():
    standard, model = vae(), vae(prior="class")
    assert standard.labels(0, 3) is None
    for each in (standard, model):
        each.begin_task(outputs=2)
        each.end_task()
    assert model.num_weights == standard.num_weights + 2 * 2 * 3
    latents = model.latents(4, torch.Generator().manual_seed(0))
    before = model.replay(0, latents)
    model.begin_task(outputs=3)
    model.objective().parameters()[-1].data.add_(1.0)
    assert torch.equal(model.replay(0, latents), before)
    model.abandon_task()
    assert model.num_weights == standard.num_weights + 2 * 2 * 3
    assert torch.equal(model.replay(0, latents), before)


def test_normal_inputs_are_replayed_in_their_range():
    model = vae(distribution="normal", seed=1)
    settings = TrainingSettings(iterations=200, learning_rate=0.02, batch_size=32)
    model.begin_task()
    real = 5 * images(0) - 3
    Trainer(model.objective(), TensorExamples(real, torch.zeros(64, dtype=torch.int64)), settings, Seeds(0), CPU).run()
    model.end_task()
    replayed = model.replay(0, model.latents(200, torch.Generator().manual_seed(0)))
    assert (replayed.mean(0) - real.mean(0)).abs().max() < 0.3
    assert replayed.min() < -2 and replayed.max() > 1


def test_the_seed_decides_encoder_and_decoder():
    def start(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        model = vae(seed=seed)
        model.begin_task()
        model.end_task()
        return model.state()["auxiliary"]["1.weight"], model.replay(0, torch.ones(1, 3))

    assert all(map(torch.equal, start(0), start(0)))
    assert not any(map(torch.equal, start(0), start(1)))
