"""The generative adversarial network: whose gradient goes where, and that it learns."""

import torch
from torch.func import functional_call

from hypermnesia.networks import mlp
from hypermnesia.replay import GAN, GANSettings
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import TensorExamples
from hypermnesia.training import Trainer, TrainingSettings

HYPERNETWORK = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (8,), "chunk_size": 100, "beta": 1.0}
CPU = torch.device("cpu")


def gan(hidden: tuple[int, ...] = (12,), discriminator_hidden: tuple[int, ...] = (10,)) -> GAN:
    settings = GANSettings(
        latent_dim=8,
        condition_dim=2,
        hidden=hidden,
        discriminator_hidden=discriminator_hidden,
        hypernetwork=HYPERNETWORK,
    )
    return GAN((9,), settings, TrainingSettings(), Seeds(0), CPU)


def images(task: int, number: int = 256) -> torch.Tensor:
    """Other pixels are bright in every task."""
    generator = torch.Generator().manual_seed(task)
    bright = torch.full((9,), 0.3)
    bright[4 * task : 4 * task + 4] = 0.7
    return (bright + 0.2 * torch.randn(number, 9, generator=generator)).clamp(0, 1)


def test_generator_and_discriminator_have_each_the_gradient_of_their_own_loss(weights_by_definition):
    model = gan()
    model.begin_task()
    objective = model.objective()
    names = list(model.state()["generator"]["theta"])
    of_generator, of_discriminator = objective.parameters()[: len(names) + 1], objective.parameters()[len(names) + 1 :]
    theta, embedding = dict(zip(names, of_generator, strict=False)), of_generator[-1]
    inputs, labels = images(0, number=6), torch.zeros(6, dtype=torch.int64)

    generator, discriminator = mlp(8 + 2, (12,), 9), mlp(9, (10,), 1)
    discriminator.load_state_dict(dict(zip(discriminator.state_dict(), of_discriminator, strict=True)))
    torch.manual_seed(3)
    latents = torch.cat([torch.randn(6, 8), torch.tensor([[1.0, 0.0]]).expand(6, -1)], dim=1)
    made = functional_call(generator, weights_by_definition(generator, theta, embedding), (latents,)).sigmoid()
    real, fake = discriminator(inputs).sigmoid(), discriminator(made).sigmoid()
    generator_loss = -fake.log().mean()
    discriminator_loss = -(real.log().mean() + (1 - fake).log().mean()) / 2
    expected = [
        *torch.autograd.grad(generator_loss, of_generator, retain_graph=True),
        *torch.autograd.grad(discriminator_loss, list(discriminator.parameters())),
    ]
    assert all(gradient.abs().max() > 1e-4 for gradient in expected)

    torch.manual_seed(3)
    scalars = objective.accumulate_gradients(inputs, labels, torch.optim.SGD(objective.parameters(), lr=0.1))
    for parameter, wanted in zip(objective.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, wanted, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(scalars["generator_loss"], generator_loss.detach())
    torch.testing.assert_close(scalars["discriminator_loss"], discriminator_loss.detach())


def test_it_learns_each_task_and_keeps_the_first():
    model = gan(hidden=(32,), discriminator_hidden=(64, 64))
    # Without momentum: with it, generator and discriminator chase each other on data as simple as these.
    settings = TrainingSettings(optimizer="rmsprop", learning_rate=5e-4, iterations=300, batch_size=64)
    for task in range(2):
        model.begin_task()
        examples = TensorExamples(images(task), torch.zeros(256, dtype=torch.int64))
        Trainer(model.objective(), examples, settings, Seeds(task), CPU).run()
        model.end_task()
    latents = model.latents(200, torch.Generator().manual_seed(0))
    for task in range(2):
        samples = model.replay(task, latents)
        assert (samples.mean(0) - images(task).mean(0)).abs().max() < 0.25
        assert samples.std(0).mean() > 0.05  # not one and the same
