"""The generative adversarial network: whose gradient goes where, and that it learns."""

import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import interpolate

from hypermnesia.data import load
from hypermnesia.networks.coding import decoder, encoder
from hypermnesia.replay import GAN, GANSettings
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import TensorExamples
from hypermnesia.training import Trainer, TrainingSettings

HYPERNETWORK = {
    "embedding_dim": 4,
    "chunk_embedding_dim": 4,
    "hidden": (8,),
    "chunk_size": 100,
    "beta": 1.0,
    "start": "zero",
}
CPU = torch.device("cpu")


def gan(gradient_penalty: float, shape: tuple[int, ...] = (9,), channels: tuple[int, ...] = ()) -> GAN:
    settings = GANSettings(
        latent_dim=8,
        condition_dim=2,
        hidden=(12,),
        discriminator_hidden=(10,),
        channels=channels,
        gradient_penalty=gradient_penalty,
        hypernetwork=HYPERNETWORK,
    )
    return GAN(shape, settings, TrainingSettings(), Seeds(0), CPU)


@pytest.mark.parametrize(("shape", "channels"), [((9,), ()), ((3, 4, 5), (5,))])
@pytest.mark.parametrize("penalty", [0.0, 3.0])
def test_generator_and_discriminator_have_each_the_gradient_of_their_own_loss(
    weights_by_definition, penalty, shape, channels
):
    model = gan(penalty, shape, channels)
    model.begin_task()
    objective = model.objective()
    names = list(model.state()["generator"]["theta"])
    of_generator, of_discriminator = objective.parameters()[: len(names) + 1], objective.parameters()[len(names) + 1 :]
    theta, embedding = dict(zip(names, of_generator, strict=False)), of_generator[-1]
    inputs = torch.rand(6, *shape, generator=torch.Generator().manual_seed(0)).flatten(1)
    labels = torch.zeros(6, dtype=torch.int64)

    generator, discriminator = decoder(8 + 2, (12,), channels, shape), encoder(shape, channels, (10,), 1)
    discriminator.load_state_dict(dict(zip(discriminator.state_dict(), of_discriminator, strict=True)))
    torch.manual_seed(3)
    latents = torch.cat([torch.randn(6, 8), torch.tensor([[1.0, 0.0]]).expand(6, -1)], dim=1)
    made = functional_call(generator, weights_by_definition(generator, theta, embedding), (latents,)).sigmoid()
    real, fake = discriminator(inputs).sigmoid(), discriminator(made).sigmoid()
    slopes = torch.func.vmap(torch.func.jacrev(lambda x: discriminator(x[None])[0, 0]))(inputs)
    generator_loss = -fake.log().mean()
    discriminator_loss = -(real.log().mean() + (1 - fake).log().mean()) / 2
    gradient_penalty = penalty / 2 * slopes.norm(dim=1).pow(2).mean()
    expected = [
        *torch.autograd.grad(generator_loss, of_generator, retain_graph=True),
        *torch.autograd.grad(discriminator_loss + gradient_penalty, list(discriminator.parameters())),
    ]
    assert all(gradient.abs().max() > 1e-4 for gradient in expected)

    torch.manual_seed(3)
    scalars = objective.accumulate_gradients(
        [(inputs.view(6, *shape), labels)], torch.optim.SGD(objective.parameters(), lr=0.1)
    )
    for parameter, wanted in zip(objective.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, wanted, rtol=1e-3, atol=1e-6)
    for name, wanted in (
        ("generator_loss", generator_loss),
        ("discriminator_loss", discriminator_loss),
        ("gradient_penalty", gradient_penalty),
    ):
        torch.testing.assert_close(scalars[name], wanted.detach(), rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_it_learns_digits_of_each_task_and_keeps_the_first():
    # Magnified: of the 64 pixels that digits have, a GAN makes digits also where it should fail.
    digits = load("digits")
    images, labels = digits.train_images.float().div(255), digits.train_labels
    images = interpolate(images, scale_factor=3.0, mode="bilinear")
    means = torch.stack([images[labels == label].mean(0) for label in range(10)])
    sizes = {"embedding_dim": 8, "chunk_embedding_dim": 8, "chunk_size": 5000}
    published = {"rate_factor": 1.0, "embedding_candidates": 1, "beta": 0.1, "beta_relative": False}
    hypernetwork = {**HYPERNETWORK, **sizes, **published}
    settings = GANSettings(
        latent_dim=16, condition_dim=2, hidden=(64,), discriminator_hidden=(64,), hypernetwork=hypernetwork
    )
    training = TrainingSettings(betas=(0, 0.999), learning_rate=2e-3, iterations=200, batch_size=64)
    model = GAN((1, 24, 24), settings, training, Seeds(0), CPU)
    for task in range(2):
        model.begin_task()
        own = labels // 2 == task
        examples = TensorExamples(images[own], labels[own] - 2 * task)
        Trainer(model.objective(), examples, training, Seeds(task), CPU).run()
        model.end_task()
    latents = model.latents(200, torch.Generator().manual_seed(0))
    for task in range(2):
        samples = model.replay(task, latents)
        nearest = torch.cdist(samples.flatten(1), means.flatten(1)).argmin(dim=1)
        shares = torch.bincount(nearest, minlength=10)[2 * task : 2 * task + 2] / len(samples)
        assert shares.sum() > 0.75, shares  # chance: 0.2
        assert shares.min() > 0.2, shares  # both classes
        spread = samples.std(0).mean() / images[labels // 2 == task].std(0).mean()
        assert 0.6 < spread < 1.5, spread  # neither all alike nor noise
