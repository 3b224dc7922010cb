"""Squared gradients by Θ_h through the readout are those of a backward pass for each example."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from hypermnesia.criteria import USUAL
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout
from hypermnesia.regularizers.fisher import diagonal_fisher, gradient_form
from hypermnesia.regularizers.generated_network import GeneratedNetwork


def generated(module: nn.Module, **sizes: object) -> tuple[GeneratedNetwork, dict[str, torch.Tensor]]:
    """A module whose weights are generated, and Θ_h at some distance of its start."""
    generator = torch.Generator().manual_seed(0)
    hypernetwork = Hypernetwork(
        ParameterLayout.of(module), embedding_dim=3, chunk_embedding_dim=2, generator=generator, **sizes
    ).double()
    embedding = torch.randn(3, generator=generator, dtype=torch.float64)
    network = GeneratedNetwork(hypernetwork, embedding, lambda weights, x: functional_call(module, weights, (x,)))
    theta = {
        name: p.detach() + 0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
        for name, p in hypernetwork.shared_parameters().items()
    }
    return network, theta


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    outputs=st.integers(2, 5),  # a single class has no gradient but rounding
    bias=st.booleans(),
    chunk_size=st.none() | st.integers(1, 20),
    hidden=st.lists(st.integers(1, 4), max_size=2),
    examples=st.integers(1, 5),
    criterion=st.sampled_from(["classes", "numbers"]),
)
@pytest.mark.parametrize("kind", ["exact", "empirical"])
def test_squares_through_the_readout_are_those_of_single_examples(
    kind, widths, outputs, bias, chunk_size, hidden, examples, criterion
) -> None:
    torch.manual_seed(0)
    widths = [*widths, outputs]
    layers = [part for i, o in itertools.pairwise(widths) for part in (nn.Linear(i, o, bias=bias), nn.Tanh())]
    network, theta = generated(nn.Sequential(*layers[:-1]).double(), chunk_size=chunk_size, hidden=hidden)
    inputs = torch.randn(examples, widths[0], dtype=torch.float64)
    labels = torch.zeros(examples, dtype=torch.int64)
    if criterion == "numbers":
        labels = torch.randn(examples, widths[-1], dtype=torch.float64)
    assert gradient_form(network, theta, inputs, kind, USUAL[criterion], labels) == "linear layers"

    found = diagonal_fisher(network, theta, [(inputs, labels)], kind, USUAL[criterion])
    right = diagonal_fisher(lambda *of: network(*of), theta, [(inputs, labels)], kind, USUAL[criterion])
    largest = max(square.abs().max().item() for square in right.values())
    for name, square in right.items():
        torch.testing.assert_close(found[name], square, rtol=1e-9, atol=1e-12 * largest)


def test_many_examples_are_taken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypermnesia.regularizers.generated_network._NUMBERS_AT_A_TIME", 50)
    network, theta = generated(nn.Linear(4, 3).double(), chunk_size=4, hidden=(3,))
    batches = [(torch.randn(7, 4, dtype=torch.float64), torch.arange(7) % 3)]
    found = diagonal_fisher(network, theta, batches, "exact")
    right = diagonal_fisher(lambda *of: network(*of), theta, batches, "exact")
    for name, square in right.items():
        torch.testing.assert_close(found[name], square, rtol=1e-9, atol=1e-14)


def test_generated_weights_of_other_layers_take_a_general_form() -> None:
    module = nn.Sequential(nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Linear(6, 2)).double()
    network, theta = generated(module, chunk_size=5, hidden=(3,))
    assert gradient_form(network, theta, torch.randn(2, 1, 4, dtype=torch.float64), "exact") == "vectorized"
