"""Weights that a hypernetwork generates for its tasks: their distances, drift, and dimensions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout

_TINY = torch.finfo(torch.float64).tiny  # in place of zero, to divide by


@torch.no_grad()
def generated(hypernetwork: Hypernetwork, tasks: Sequence[int]) -> Float[Tensor, "tasks weights"]:
    """What is generated, f_h(e^(t), Θ_h), one vector a task: without a base, and gains as differences from one."""
    chunks = hypernetwork.features(hypernetwork.embeddings(tasks)) @ hypernetwork.readout
    return chunks.flatten(1)[:, : hypernetwork.layout.size]


@torch.no_grad()
def relative_distances(hypernetwork: Hypernetwork) -> Float64[Tensor, "tasks tasks"]:
    """Relative distances between what is generated for each two tasks: ‖w_i − w_j‖ / √((‖w_i‖² + ‖w_j‖²)/2).

    0 for the same weights, √2 for orthogonal ones. Where weights are a difference from a base, w is the difference. All
    inner products come from Gram matrices, in float64: no task's weights are ever formed.

    Args:
        hypernetwork: Hypernetwork with at least one task.

    Example:
        >>> from torch import nn
        >>> hypernetwork = Hypernetwork(ParameterLayout.of(nn.Linear(3, 2)), chunk_size=4)
        >>> _ = hypernetwork.add_task(), hypernetwork.add_task()
        >>> distances = relative_distances(hypernetwork)
        >>> distances.diagonal().tolist(), bool(distances[0, 1] == distances[1, 0] > 0)
        ([0.0, 0.0], True)
    """
    features = _features(hypernetwork)
    readout = hypernetwork.readout.cpu().double()
    used = readout[:, : hypernetwork.chunk_size - hypernetwork.surplus]  # of the last chunk
    whole, last = features[:, :-1], features[:, -1]
    products = (whole @ (readout @ readout.T)).flatten(1) @ whole.flatten(1).T + last @ (used @ used.T) @ last.T
    squares = products.diagonal()
    sums = squares[:, None] + squares
    # Rounding can leave a negative number where weights are equal; both halves are made equal, too.
    differences = (sums - (products + products.T)).clamp(min=0).fill_diagonal_(0)
    return (differences / (sums / 2).clamp(min=_TINY)).sqrt()


def relative_changes(
    before: Float[Tensor, "tasks weights"], now: Float[Tensor, "tasks weights"], layout: ParameterLayout
) -> tuple[Float64[Tensor, " tasks"], Float64[Tensor, "tasks layers"]]:
    """Relative changes of weights, ‖now − before‖ / ‖before‖: of all together, and of each layer.

    Args:
        before: Earlier weights, one vector a task, as from :func:`generated`.
        now: Later weights, likewise.
        layout: Layout of the vectors; its :func:`layers` are told apart.

    Example:
        >>> from torch import nn
        >>> before = torch.tensor([[3.0, 0.0, 4.0]])
        >>> relative_changes(before, 1.1 * before, ParameterLayout.of(nn.Linear(2, 1)))[0].round(decimals=6)
        tensor([0.1000], dtype=torch.float64)
    """
    before, now = before.cpu().double(), now.cpu().double()
    moved, size = (_squares_by_layer(vectors, layout) for vectors in (now - before, before))
    return (moved.sum(1) / size.sum(1).clamp(min=_TINY)).sqrt(), (moved / size.clamp(min=_TINY)).sqrt()


def layers(layout: ParameterLayout) -> list[str]:
    """Names of the modules that the parameters belong to, in order.

    Example:
        >>> from torch import nn
        >>> layers(ParameterLayout.of(nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))))
        ['0', '2']
    """
    return list(dict.fromkeys(map(_layer, layout.names)))


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0]


def _squares_by_layer(vectors: Float64[Tensor, "tasks weights"], layout: ParameterLayout) -> Float64[Tensor, "tasks n"]:
    names = layers(layout)
    squares = vectors.new_zeros(len(vectors), len(names))
    for name, part in zip(layout.names, vectors.split(layout.sizes, dim=1), strict=True):
        squares[:, names.index(_layer(name))] += part.square().sum(1)
    return squares


def _features(hypernetwork: Hypernetwork) -> Float64[Tensor, "tasks chunks features"]:
    """Φ of all tasks, where float64 is to be had: not every device has it."""
    return hypernetwork.features(hypernetwork.embeddings(range(hypernetwork.num_tasks))).cpu().double()


@dataclasses.dataclass(frozen=True)
class FeatureSpectrum:
    """Singular value decomposition of the features Φ of all tasks and chunks.

    Attributes:
        singular_values: Singular values, the largest first.
        shares: Part of each direction's energy that comes from each task; a column sums to 1.
        dimensions: Number of directions that hold 99 % of the energy Σσ².
    """

    singular_values: Float64[Tensor, " directions"]
    shares: Float64[Tensor, "tasks directions"]
    dimensions: int


@torch.no_grad()
def feature_spectrum(hypernetwork: Hypernetwork) -> FeatureSpectrum:
    """Spectrum of a hypernetwork's features: how many dimensions it uses, and which task uses which.

    Args:
        hypernetwork: Hypernetwork with at least one task.

    Example:
        >>> from torch import nn
        >>> hypernetwork = Hypernetwork(ParameterLayout.of(nn.Linear(3, 2)), chunk_size=4, hidden=(5,))
        >>> _ = hypernetwork.add_task()
        >>> feature_spectrum(hypernetwork).shares
        tensor([[1., 1.]], dtype=torch.float64)
    """
    features = _features(hypernetwork)
    tasks, chunks, _ = features.shape
    left, values, _ = torch.linalg.svd(features.flatten(0, 1), full_matrices=False)
    shares = left.square().view(tasks, chunks, -1).sum(1)
    energy = values.square().cumsum(0)
    return FeatureSpectrum(values, shares / shares.sum(0), int((energy < 0.99 * energy[-1]).sum()) + 1)
