"""Distributions of inputs given what a decoder puts out, against torch.distributions."""

import pytest
import torch
from torch import distributions

from hypermnesia.networks.distribution import expectation, new_log_scale, surprise

OUTPUTS = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
INPUTS = torch.rand(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def of_torch(log_scale: float | None) -> distributions.Distribution:
    if log_scale is None:
        return distributions.Bernoulli(logits=OUTPUTS, validate_args=False)
    return distributions.Normal(OUTPUTS, (4 * torch.tensor(log_scale / 4).double().tanh()).exp())


@pytest.mark.parametrize("log_scale", [None, 0.0, -1.5, 2.0])
def test_surprise_is_minus_the_logarithm_of_the_density(log_scale):
    inputs = INPUTS if log_scale is None else 9 * INPUTS - 4
    learned = None if log_scale is None else torch.tensor([log_scale], dtype=torch.float64)
    expected = -of_torch(log_scale).log_prob(inputs)
    torch.testing.assert_close(surprise(OUTPUTS, inputs, learned), expected)
    torch.testing.assert_close(surprise(OUTPUTS, inputs, learned, "mean"), expected.mean())


@pytest.mark.parametrize("log_scale", [None, 0.0, 2.0])
def test_the_expectation_is_the_mean_and_in_the_range_of_inputs(log_scale):
    name = "bernoulli" if log_scale is None else "normal"
    torch.testing.assert_close(expectation(OUTPUTS, name), of_torch(log_scale).mean)


@pytest.mark.parametrize("log_scale", [-1e6, 1e6])
def test_no_deviation_makes_it_infinite(log_scale):
    assert surprise(OUTPUTS, INPUTS, torch.tensor([log_scale])).isfinite().all()


def test_the_deviation_that_is_learned_is_that_of_the_inputs():
    """Its gradient vanishes there."""
    noise = 0.3 * torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    log_scale = new_log_scale("normal")
    optimizer = torch.optim.Adam([log_scale], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        surprise(torch.zeros_like(noise), noise, log_scale, "mean").backward()
        optimizer.step()
    found = (4 * (log_scale / 4).tanh()).exp()
    assert found.item() == pytest.approx(noise.std().item(), rel=0.02)
    assert new_log_scale("bernoulli") is None
