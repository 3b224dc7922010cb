"""Distributions of inputs given what a decoder puts out, against torch.distributions."""

import pytest
import torch
from torch import distributions

from hypermnesia.networks.distribution import expectation, fitted_log_scale, surprise

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


def test_the_deviation_that_fits_makes_inputs_likeliest():
    """Nearby ones make them less likely, so that the gradient there is that with the deviation held constant."""
    inputs = OUTPUTS + 0.3 * torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    outputs = OUTPUTS.clone().requires_grad_()
    fitted = fitted_log_scale(outputs, inputs)
    assert not fitted.requires_grad
    expected = distributions.Normal(OUTPUTS, (inputs - OUTPUTS).square().mean().sqrt())
    torch.testing.assert_close(fitted.exp(), expected.stddev[0, :1])

    def likelihood(deviation: torch.Tensor) -> torch.Tensor:
        return distributions.Normal(OUTPUTS, deviation).log_prob(inputs).mean()

    assert likelihood(fitted.exp()) > max(likelihood(fitted.exp() * factor) for factor in (0.9, 0.99, 1.01, 1.1))


def test_a_perfect_reconstruction_is_no_infinite_surprise():
    outputs = OUTPUTS.clone().requires_grad_()
    found = surprise(outputs, OUTPUTS, fitted_log_scale(outputs, OUTPUTS), "mean")
    found.backward()
    assert found.isfinite() and outputs.grad.isfinite().all()
