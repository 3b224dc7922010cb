"""ParameterLayout: any module's weights as one vector and back, without a copy."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from hypermnesia.errors import ConfigurationError
from hypermnesia.layout import ParameterLayout


class Tied(nn.Module):
    """An embedding whose matrix is also the output layer's, as in language models."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6)
        self.output = nn.Linear(6, 11, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding(tokens)
        return self.output(self.norm(self.attention(hidden, hidden, hidden)[0]))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, groups=1),
        nn.BatchNorm2d(4),
        nn.PReLU(),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Flatten(),
        nn.Linear(64, 3),
    )


MODULES = {
    "convolutions and batch norm": (convolutional, torch.randn(2, 1, 8, 8)),
    "attention and tied embeddings": (Tied, torch.randint(0, 11, (2, 5))),
    "one bias": (lambda: nn.Linear(3, 2), torch.randn(4, 3)),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_computes_the_same_from_the_flat_vector_of_its_weights(name):
    make, inputs = MODULES[name]
    module = make().eval()
    layout = ParameterLayout.of(module)
    flat = layout.flatten({n: p.detach() for n, p in module.named_parameters()})
    assert flat.numel() == layout.size == sum(p.numel() for p in module.parameters())
    other = make().eval()
    expected = module(inputs)
    buffers = dict(module.named_buffers())
    torch.testing.assert_close(functional_call(other, layout.unflatten(flat) | buffers, (inputs,)), expected)


def test_tied_weights_appear_once_and_are_replaced_everywhere():
    module = Tied()
    layout = ParameterLayout.of(module)
    assert "embedding.weight" in layout.names
    assert "output.weight" not in layout.names
    zeros = layout.unflatten(torch.zeros(layout.size))
    assert functional_call(module, zeros, (torch.tensor([[1, 2]]),)).abs().max() == 0


def test_unflattened_weights_are_views_and_the_surplus_is_ignored():
    layout = ParameterLayout.of(nn.Linear(3, 2))
    flat = torch.arange(11.0)
    weights = layout.unflatten(flat)
    flat[0] = 99
    assert weights["weight"][0, 0] == 99
    assert weights["bias"].tolist() == [6, 7]


def test_frozen_and_filtered_parameters_stay_out():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    module[0].requires_grad_(False)
    layout = ParameterLayout.of(module, lambda name, parameter: not name.startswith("1."))
    assert layout.names == ("2.weight", "2.bias")


def test_gains_of_normalization_layers_are_known():
    layout = ParameterLayout.of(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.LayerNorm(3)))
    assert layout.scales == {"1.weight", "2.weight"}
    assert ParameterLayout.of(nn.LayerNorm(4)).scales == {"weight"}


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.ReLU(), "no parameter to generate"),
        (nn.Linear(2, 2).requires_grad_(False), "requires_grad=True"),
        (nn.LazyLinear(2), "no shape yet"),
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()), "must share one"),
        (nn.Linear(2, 2).to(torch.complex64), "must share one"),
    ],
)
def test_what_cannot_be_generated_is_refused(module, message):
    with pytest.raises(ConfigurationError, match=message):
        ParameterLayout.of(module)
