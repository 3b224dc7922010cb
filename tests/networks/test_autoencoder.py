"""The bound that the autoencoder gives, against its definition with torch.distributions."""

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from hypermnesia.networks import VariationalAutoencoder

SHAPE = (3, 4, 5)
INPUTS = torch.rand(5, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
DEVIATIONS = (("bernoulli", "learned"), ("normal", "learned"), ("normal", "fitted"))
EACH = [(*distribution, channels) for distribution in DEVIATIONS for channels in ((), (4, 6))]


@pytest.fixture(params=EACH, ids=str)
def network(request) -> VariationalAutoencoder:
    distribution, deviation, channels = request.param
    torch.manual_seed(0)
    sizes = {"latent_dim": 3, "encoder_hidden": (8,), "decoder_hidden": (7,), "channels": channels}
    made = VariationalAutoencoder(SHAPE, **sizes, distribution=distribution, deviation=deviation).double()
    made.asked_for = distribution, deviation
    if made.log_scale is not None:
        torch.nn.init.constant_(made.log_scale, -0.7)
    return made


def of(network: VariationalAutoencoder) -> torch.Tensor:
    """Inputs that it takes."""
    return INPUTS if network.asked_for[0] == "bernoulli" else 6 * INPUTS - 2


def bound(network: VariationalAutoencoder, inputs: torch.Tensor, noise: torch.Tensor | float) -> torch.Tensor:
    mean, log_variance = network.encoder(inputs).chunk(2, dim=1)
    log_variance = 8 * (log_variance / 8).tanh()
    posterior = Normal(mean, (log_variance / 2).exp())
    outputs = network.decoder(posterior.mean + posterior.stddev * noise)
    if network.asked_for[0] == "bernoulli":
        decoded = Bernoulli(logits=outputs, validate_args=False)
    else:
        fitted = (outputs - inputs.flatten(1)).square().mean().log() / 2
        log_scale = fitted if network.asked_for[1] == "fitted" else network.log_scale
        decoded = Normal(outputs, (4 * (log_scale / 4).tanh()).exp())
    divergence = kl_divergence(posterior, Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(1)
    return (divergence - decoded.log_prob(inputs.flatten(1)).sum(1)) / 60


def test_in_use_it_is_the_definition_at_the_mean_and_always_the_same(network):
    inputs = of(network)
    network.eval()
    torch.testing.assert_close(network(inputs), bound(network, inputs, 0.0))
    assert torch.equal(network(inputs), network(inputs))
    if network.asked_for[1] == "learned":
        torch.testing.assert_close(network(inputs[2:3]), network(inputs)[2:3])


def test_no_encoder_makes_it_infinite(network):
    network.float()
    with torch.no_grad():
        network.encoder[-1].bias[3:] = 1e4  # logarithms of variances
    assert network(of(network).float()).isfinite().all()


def test_while_learning_it_is_the_definition_at_drawn_latents(network):
    inputs = of(network)
    network.train()
    torch.manual_seed(1)
    found = network(inputs)
    torch.manual_seed(1)
    torch.testing.assert_close(found, bound(network, inputs, torch.randn(5, 3, dtype=torch.float64)))
