"""Squared gradients of linear layers, added up without being formed, against one example at a time."""

import functools
import itertools

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from hypermnesia.regularizers.linear_layers import squared_gradients

ACTIVATIONS = [nn.ReLU, functools.partial(nn.ReLU, inplace=True), nn.Tanh, nn.Identity]


def numbers(outputs):
    return outputs.log_softmax(-1), outputs.softmax(-1)


def outputs_of(module):
    return lambda theta, inputs: functional_call(module, theta, (inputs,))


def by_definition(module, theta, inputs):
    """One example and one number at a time."""
    sums = {name: torch.zeros_like(parameter) for name, parameter in theta.items()}
    for example in inputs:
        v, w = numbers(module(example[None]))
        for i in range(v.shape[1]):
            for name, gradient in zip(
                theta, torch.autograd.grad(v[0, i], list(theta.values()), retain_graph=True), strict=True
            ):
                sums[name] += w[0, i].detach() * gradient**2
    return sums


@given(
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    outputs=st.sampled_from([1, 5, 33, 40]),
    bias=st.booleans(),
    number=st.integers(1, 7),
    activation=st.sampled_from(ACTIVATIONS),
    constant=st.sampled_from(["none", "weight", "bias"]),
    seed=st.integers(0, 2**16),
)
def test_it_equals_the_definition(widths, outputs, bias, number, activation, constant, seed):
    torch.manual_seed(seed)
    layers = itertools.chain.from_iterable(
        [nn.Linear(i, o, bias=bias), activation()] for i, o in itertools.pairwise([*widths, outputs])
    )
    module = nn.Sequential(*list(layers)[:-1]).double()
    inputs = torch.randn(number, widths[0], dtype=torch.float64)
    theta = {n: p for n, p in module.named_parameters() if not n.endswith(constant)}
    assume(theta)
    found = squared_gradients(outputs_of(module), theta, inputs, numbers)
    assert found.keys() == theta.keys()
    for name, expected in by_definition(module, theta, inputs).items():
        torch.testing.assert_close(found[name], expected, rtol=1e-9, atol=1e-12)
        assert not found[name].requires_grad


def test_outputs_that_are_left_out_get_nothing():
    module = nn.Linear(3, 4)
    theta = dict(module.named_parameters())
    found = squared_gradients(
        lambda theta, x: functional_call(module, theta, (x,))[:, 1:3], theta, torch.ones(2, 3), numbers
    )
    assert (found["weight"][1:3] > 0).all() and found["weight"][[0, 3]].count_nonzero() == 0


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return functional.linear(functional.linear(x, self.weight), self.weight)


class Decayed(nn.Module):
    """A linear layer whose weight does something else too."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return functional.linear(x, self.weight) * self.weight.sum()


class Doubled(torch.autograd.Function):
    """Invisible to torch's overrides."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return functional.linear(x, self.weight) + Doubled.apply(self.weight)[0]


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.used(x)


class Positions(nn.Module):
    """A linear layer that sees several vectors an example, whose gradients add up before they are squared."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 3)

    def forward(self, x):
        return self.layer(x[:, :, None]).sum(1)


class Overwritten(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        x = x.clone()
        return self.layer(x) + x.mul_(2)


class Flattened(Positions):
    def forward(self, x):
        return self.layer(x.flatten()[:, None]).view(len(x), -1, 3).sum(1)


@pytest.mark.parametrize(
    "module",
    [
        *(Tied(), Decayed(), Hidden(), Unused(), Positions(), Flattened(), Overwritten()),
        nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_it_does_not_answer_where_it_would_be_wrong(module):
    theta = dict(module.named_parameters())
    assert squared_gradients(outputs_of(module), theta, torch.randn(4, 3), numbers) is None
