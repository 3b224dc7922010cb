"""Distances, changes and spectra beside their definitions in float64."""

import pytest
import torch
from torch import nn

from hypermnesia.evaluation.generated_weights import (
    feature_spectrum,
    generated,
    layers,
    relative_changes,
    relative_distances,
)
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout


@pytest.fixture(params=[7, 12, None], ids=["surplus", "many chunks", "full"])
def hypernetwork(request) -> Hypernetwork:
    module = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 3))
    generator = torch.Generator().manual_seed(0)
    made = Hypernetwork(
        ParameterLayout.of(module), embedding_dim=3, hidden=(6,), chunk_size=request.param, generator=generator
    )
    for _ in range(4):
        made.add_task(generator)
    return made


def weights(hypernetwork: Hypernetwork) -> torch.Tensor:
    """Of every task, as its network gets them."""
    return torch.stack([hypernetwork.layout.flatten(hypernetwork(task)) for task in range(4)]).detach().double()


def ones(hypernetwork: Hypernetwork) -> torch.Tensor:
    """What is added to the gains of normalizations."""
    layout = hypernetwork.layout
    return torch.cat(
        [
            torch.full((size,), float(name in layout.scales))
            for name, size in zip(layout.names, layout.sizes, strict=True)
        ]
    )


def test_what_is_generated_are_the_weights_of_the_networks(hypernetwork):
    expected = weights(hypernetwork) - ones(hypernetwork)
    torch.testing.assert_close(generated(hypernetwork, range(4)).double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(generated(hypernetwork, [2]).double(), expected[2:3], rtol=1e-5, atol=1e-6)


def test_distances_are_those_of_the_definition(hypernetwork):
    vectors = weights(hypernetwork) - ones(hypernetwork)
    squares = vectors.square().sum(1)
    expected = torch.cdist(vectors, vectors) / ((squares[:, None] + squares) / 2).sqrt()
    torch.testing.assert_close(relative_distances(hypernetwork), expected, rtol=1e-5, atol=1e-6)


def test_the_same_weights_are_at_distance_zero_however_close_others_are(hypernetwork):
    with torch.no_grad():
        hypernetwork.task_embeddings[1].copy_(hypernetwork.task_embeddings[0])
        hypernetwork.task_embeddings[2].copy_(hypernetwork.task_embeddings[0] + 1e-4)
    distances = relative_distances(hypernetwork)
    assert distances[0, 1] < 1e-7
    vectors = weights(hypernetwork) - ones(hypernetwork)
    expected = (vectors[0] - vectors[2]).norm() / vectors[0].norm()
    torch.testing.assert_close(distances[0, 2], expected, rtol=1e-2, atol=0)


def test_changes_are_told_by_layer(hypernetwork):
    assert layers(hypernetwork.layout) == ["0", "1", "2"]
    before = generated(hypernetwork, range(4))
    now = before.clone()
    now[:, :24] *= 1.5  # the first layer: 20 weights and 4 biases
    now[:, 32:] = 0  # the third
    total, parts = relative_changes(before, now, hypernetwork.layout)
    expected = torch.tensor([0.5, 0.0, 1.0], dtype=torch.float64).expand(4, 3)
    torch.testing.assert_close(parts, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(total, (now - before).double().norm(dim=1) / before.double().norm(dim=1))


def test_the_spectrum_is_that_of_all_features(hypernetwork):
    """Σσ² is the energy of the features, and a task's shares weigh its own."""
    found = feature_spectrum(hypernetwork)
    features = hypernetwork.features(hypernetwork.embeddings(range(4))).detach().double()
    energy = found.singular_values.square()
    torch.testing.assert_close((found.shares * energy).sum(1), features.square().sum((1, 2)))
    torch.testing.assert_close(found.shares.sum(0), torch.ones_like(energy))
    assert energy[: found.dimensions].sum() >= 0.99 * energy.sum() > energy[: found.dimensions - 1].sum()


def test_features_that_do_not_differ_have_one_dimension(hypernetwork):
    with torch.no_grad():
        for parameter in hypernetwork.trunk.parameters():
            parameter.zero_()
    found = feature_spectrum(hypernetwork)
    assert found.dimensions == 1
    torch.testing.assert_close(found.shares[:, 0], torch.full((4,), 0.25, dtype=torch.float64))


def test_distances_are_symmetric_to_the_last_digit():
    for seed in range(50):
        torch.manual_seed(seed)
        hypernetwork = Hypernetwork(ParameterLayout.of(nn.Linear(3, 2)), chunk_size=4)
        hypernetwork.add_task(), hypernetwork.add_task()
        distances = relative_distances(hypernetwork)
        assert torch.equal(distances, distances.T)
