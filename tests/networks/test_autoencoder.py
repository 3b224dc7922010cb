"""The bound that the autoencoder gives, against its definition with torch.distributions."""

import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from hypermnesia.networks import VariationalAutoencoder


def autoencoder() -> VariationalAutoencoder:
    torch.manual_seed(0)
    return VariationalAutoencoder(12, latent_dim=3, encoder_hidden=(8,), decoder_hidden=(7,)).double()


def bound(network: VariationalAutoencoder, inputs: torch.Tensor, noise: torch.Tensor | float) -> torch.Tensor:
    mean, log_variance = network.encoder(inputs).chunk(2, dim=1)
    log_variance = 8 * (log_variance / 8).tanh()
    posterior = Normal(mean, (log_variance / 2).exp())
    decoded = Bernoulli(logits=network.decoder(posterior.mean + posterior.stddev * noise), validate_args=False)
    divergence = kl_divergence(posterior, Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(1)
    return (divergence - decoded.log_prob(inputs.flatten(1)).sum(1)) / 12


def test_in_use_it_is_the_definition_at_the_mean_and_always_the_same():
    network, inputs = autoencoder().eval(), torch.rand(5, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(network(inputs), bound(network, inputs, 0.0))
    assert torch.equal(network(inputs), network(inputs))
    torch.testing.assert_close(network(inputs[2:3]), network(inputs)[2:3])


def test_no_encoder_makes_it_infinite():
    network = autoencoder().float()
    with torch.no_grad():
        network.encoder[-1].bias[3:] = 1e4  # logarithms of variances
    assert network(torch.rand(5, 12)).isfinite().all()


def test_while_learning_it_is_the_definition_at_drawn_latents():
    network, inputs = autoencoder().train(), torch.rand(5, 3, 4, dtype=torch.float64)
    torch.manual_seed(1)
    found = network(inputs)
    torch.manual_seed(1)
    torch.testing.assert_close(found, bound(network, inputs, torch.randn(5, 3, dtype=torch.float64)))
