"""Hypernetwork: full and chunked are one thing, sizes add up, tasks come one by one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from hypermnesia.errors import ConfigurationError
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout
from hypermnesia.networks import ACTIVATIONS

LAYOUT = ParameterLayout.of(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)))


def by_definition(hypernetwork: Hypernetwork, task: int) -> torch.Tensor:
    """An MLP of [e, c_i] for one chunk after another, concatenated, surplus dropped."""
    chunks = []
    for chunk_embedding in hypernetwork.chunk_embeddings:
        hidden = torch.cat([hypernetwork.task_embeddings[task], chunk_embedding])
        for layer in hypernetwork.trunk:
            hidden = hypernetwork.activation(layer(hidden))
        chunks.append(hypernetwork.readout[:-1].T @ hidden + hypernetwork.readout[-1])
    return torch.cat(chunks)[: hypernetwork.layout.size]


@settings(max_examples=40)
@given(
    chunk_size=st.none() | st.integers(1, 30),
    hidden=st.lists(st.integers(1, 6), max_size=3),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    embedding_dim=st.integers(1, 4),
    chunk_embedding_dim=st.integers(1, 4),
)
def test_weights_equal_the_definition(chunk_size, hidden, activation, embedding_dim, chunk_embedding_dim):
    hypernetwork = Hypernetwork(
        LAYOUT,
        chunk_size=chunk_size,
        hidden=hidden,
        activation=activation,
        embedding_dim=embedding_dim,
        chunk_embedding_dim=chunk_embedding_dim,
    ).double()
    for parameter in hypernetwork.parameters():  # biases too
        nn.init.normal_(parameter)
    for task in range(2):
        assert hypernetwork.add_task() == task
        torch.testing.assert_close(LAYOUT.flatten(hypernetwork(task)), by_definition(hypernetwork, task))


def test_a_full_hypernetwork_is_one_with_a_single_chunk():
    full = Hypernetwork(LAYOUT, chunk_size=None, hidden=(5,), generator=torch.Generator().manual_seed(1))
    large = Hypernetwork(LAYOUT, chunk_size=10_000, hidden=(5,), generator=torch.Generator().manual_seed(1))
    assert not full.is_chunked
    assert full.surplus == large.surplus == 0
    for hypernetwork in (full, large):
        hypernetwork.add_task(torch.Generator().manual_seed(2))
    for name, weight in full(0).items():
        assert torch.equal(weight, large(0)[name])


def test_adding_a_task_freezes_the_embeddings_before_it():
    hypernetwork = Hypernetwork(LAYOUT, chunk_size=7)
    for _ in range(3):
        hypernetwork.add_task()
    assert [e.requires_grad for e in hypernetwork.task_embeddings] == [False, False, True]
    with pytest.raises(ConfigurationError, match="no task 3"):
        hypernetwork(3)


def test_gains_of_normalizations_are_generated_around_one():
    hypernetwork = Hypernetwork(ParameterLayout.of(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))))
    nn.init.zeros_(hypernetwork.readout)
    hypernetwork.add_task()
    weights = hypernetwork(0)
    assert weights["1.weight"].tolist() == [1, 1, 1]
    assert weights["1.bias"].tolist() == [0, 0, 0]


def test_gains_are_generated_around_those_of_a_base():
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    nn.init.constant_(module[1].weight, 0.5)
    hypernetwork = Hypernetwork(ParameterLayout.of(module), base=dict(module.named_parameters()))
    assert hypernetwork.add_task() == 0
    assert hypernetwork(0)["1.weight"].tolist() == [0.5, 0.5, 0.5]


def base_of(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = zip(LAYOUT.names, LAYOUT.shapes, strict=True)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes}


sizes = {"chunk_size": st.none() | st.integers(1, 30), "hidden": st.lists(st.integers(1, 6), max_size=3)}


@settings(max_examples=40)
@given(**sizes)
def test_a_base_is_generated_exactly_until_something_is_learned_and_then_differences_from_it(chunk_size, hidden):
    base = base_of()
    hypernetwork = Hypernetwork(LAYOUT, chunk_size=chunk_size, hidden=hidden, base=base)
    for task in range(2):
        hypernetwork.add_task()
        for name, weight in hypernetwork(task).items():
            assert torch.equal(weight, base[name])
    hypernetwork.double()
    for parameter in hypernetwork.parameters():
        nn.init.normal_(parameter)
    expected = by_definition(hypernetwork, 1) + LAYOUT.flatten(base)
    torch.testing.assert_close(LAYOUT.flatten(hypernetwork(1)), expected)


def test_a_base_is_no_parameter_and_is_not_learned():
    base = base_of()
    hypernetwork, without = Hypernetwork(LAYOUT, chunk_size=7, base=base), Hypernetwork(LAYOUT, chunk_size=7)
    assert {n: p.shape for n, p in hypernetwork.named_parameters()} == {
        n: p.shape for n, p in without.named_parameters()
    }
    assert hypernetwork.state_dict().keys() == without.state_dict().keys()
    hypernetwork.add_task()
    sum(weight.square().sum() for weight in hypernetwork(0).values()).backward()
    assert hypernetwork.base.grad is None
    assert hypernetwork.readout.grad.abs().max() > 0


@settings(max_examples=40)
@given(**sizes, with_base=st.booleans())
def test_norms_equal_those_of_what_is_generated(chunk_size, hidden, with_base):
    base = base_of() if with_base else None
    hypernetwork = Hypernetwork(LAYOUT, chunk_size=chunk_size, hidden=hidden, base=base).double()
    for parameter in hypernetwork.parameters():
        nn.init.normal_(parameter)
    norms = [LAYOUT.flatten(hypernetwork(hypernetwork.add_task())).square().sum().item() for _ in range(3)]
    assert hypernetwork.squared_norms(hypernetwork.embeddings(range(3))).tolist() == pytest.approx(norms)


def test_an_initialization_of_a_readout_of_zeros_is_refused():
    with pytest.raises(ConfigurationError, match=r"hyperfan-in.*starts at zero"):
        Hypernetwork(LAYOUT, base=base_of(), initialization="hyperfan-in")


def test_compression_counts_every_trainable_weight():
    hypernetwork = Hypernetwork(LAYOUT, embedding_dim=3, chunk_embedding_dim=2, hidden=(4,), chunk_size=10)
    hypernetwork.add_task()
    hypernetwork.add_task()
    weights = (3 + 2) * 4 + 4 + (4 + 1) * 10 + 3 * 2 + 2 * 3  # trunk, readout, 3 chunk and 2 task embeddings
    assert hypernetwork.compression == weights / 23


@settings(max_examples=40)
@given(compression=st.floats(0.25, 3), hidden=st.lists(st.integers(4, 20), max_size=2))
def test_a_wanted_compression_is_met_from_below(compression, hidden):
    layout = ParameterLayout.of(nn.Linear(300, 50))
    widths = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": hidden}
    hypernetwork = Hypernetwork.with_compression(layout, compression, **widths)
    hypernetwork.add_task()
    assert hypernetwork.compression <= compression
    if hypernetwork.is_chunked:  # and with the fewest chunks: one less would be too many weights
        larger = Hypernetwork(layout, chunk_size=-(-layout.size // (hypernetwork.num_chunks - 1)), **widths)
        larger.add_task()
        assert larger.compression > compression


def test_a_compression_out_of_reach_names_what_can_be_reached():
    with pytest.raises(ConfigurationError, match=r"smallest ratio is \d"):
        Hypernetwork.with_compression(LAYOUT, 0.1)
    with pytest.raises(ConfigurationError, match="above 0"):
        Hypernetwork.with_compression(LAYOUT, -1.0)


def test_sizes_below_one_are_refused():
    for wrong in ({"embedding_dim": 0}, {"hidden": (3, 0)}, {"chunk_size": -2}):
        with pytest.raises(ConfigurationError, match="must be at least 1"):
            Hypernetwork(LAYOUT, **wrong)


def test_xavier_is_the_default_and_biases_start_at_zero():
    hypernetwork = Hypernetwork(LAYOUT, embedding_dim=40, chunk_embedding_dim=10, hidden=(60, 80), chunk_size=5)
    first = hypernetwork.trunk[0].weight
    assert 0.9 * (6 / 110) ** 0.5 < first.abs().max() <= (6 / 110) ** 0.5
    assert hypernetwork.readout[:-1].abs().max() <= (6 / 85) ** 0.5
    assert hypernetwork.readout[-1].abs().max() == hypernetwork.trunk[1].bias.abs().max() == 0


@pytest.mark.parametrize("chunk_size", [None, 5000])
def test_hyperfan_in_keeps_the_variance_of_activations_where_xavier_does_not(chunk_size):
    target = nn.Sequential(*[layer for _ in range(4) for layer in (nn.Linear(200, 200, bias=False), nn.ReLU())])
    layout = ParameterLayout.of(target)

    def output_energy(initialization: str) -> float:
        generator = torch.Generator().manual_seed(0)
        energies = []
        for _ in range(8):
            hypernetwork = Hypernetwork(
                layout, chunk_size=chunk_size, initialization=initialization, generator=generator
            )
            hypernetwork.add_task(generator)
            hidden = torch.randn(64, 200, generator=generator)
            for weight in hypernetwork(0).values():
                hidden = functional.relu(hidden @ weight.T)
            energies.append(hidden.square().mean().item())
        return sum(energies) / len(energies)

    assert 0.1 < output_energy("hyperfan-in") < 10
    if chunk_size is None:
        assert output_energy("xavier") < 1e-3


def test_hyperfan_out_follows_the_number_of_outputs():
    layout = ParameterLayout.of(nn.Linear(400, 100))
    variances = []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        hypernetwork = Hypernetwork(layout, initialization="hyperfan-out", generator=generator)
        hypernetwork.add_task(generator)
        variances.append(hypernetwork(0)["weight"].var().item())
        assert hypernetwork(0)["bias"].abs().max() == 0  # fan-out below fan-in
    assert sum(variances) / len(variances) == pytest.approx(2 / 100, rel=0.25)


@settings(max_examples=30)
@given(**sizes)
def test_decorrelated_features_start_even_and_stay_a_function_of_task_and_chunk(chunk_size, hidden):
    hypernetwork = Hypernetwork(
        LAYOUT,
        chunk_size=chunk_size,
        hidden=hidden,
        activation="tanh",
        initialization="decorrelated",
        base=base_of(),
        generator=torch.Generator().manual_seed(0),
    )
    plain = Hypernetwork(
        LAYOUT, chunk_size=chunk_size, hidden=hidden, activation="tanh", generator=torch.Generator().manual_seed(0)
    )
    embeddings = torch.randn(2000, hypernetwork.embedding_dim, generator=torch.Generator().manual_seed(1))
    features = hypernetwork.features(embeddings)
    torch.testing.assert_close(features, plain.features(embeddings) @ hypernetwork.mixing)
    flat = features.detach().flatten(0, 1)
    spread = torch.linalg.eigvalsh(flat.T @ flat / len(flat))
    assert spread.max() < 8
    assert "mixing" in hypernetwork.shared_parameters()


def test_decorrelated_features_need_a_base():
    with pytest.raises(ConfigurationError, match=r"decorrelated.*difference from given ones"):
        Hypernetwork(LAYOUT, initialization="decorrelated")
