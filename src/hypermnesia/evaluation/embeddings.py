"""The space of task embeddings: accuracy of the network of any embedding, lines and planes through learned ones."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from hypermnesia.errors import ConfigurationError
from hypermnesia.inputs import Inputs
from hypermnesia.learners.generated import GeneratedNetworkLearner

_MARGIN = 1.5
"""Half the side of the square that is looked at, in units of the largest distance of an embedding from its center."""


def accuracy_at(
    learner: GeneratedNetworkLearner,
    embeddings: Float[Tensor, "points embedding"],
    inputs: Inputs,
    labels: Int64[Tensor, " inputs"],
    task: int,
) -> Float64[Tensor, " points"]:
    """Accuracy, from 0 to 1, of the network generated from each embedding.

    Args:
        learner: Learner that has learned the task.
        embeddings: Embeddings to generate networks from.
        inputs: Inputs of the task.
        labels: Their labels within the task.
        task: Number of the task, from 0; its statistics (batch normalization's) are used at every embedding.

    Example:
        >>> import torch
        >>> from hypermnesia import HypernetworkLearner
        >>> inputs, labels = torch.eye(2), torch.tensor([0, 1])
        >>> training = {"iterations": 100, "learning_rate": 0.1}
        >>> learner = HypernetworkLearner(torch.nn.Linear(2, 2), chunk_size=3, training=training)
        >>> learner.learn((inputs, labels))
        >>> accuracy_at(learner, learner.hypernetwork.embeddings([0]), inputs, labels, task=0)
        tensor([1.], dtype=torch.float64)
    """
    right = learner.answers(embeddings, inputs, task) == labels.to(learner.device)
    return right.cpu().double().mean(1)


def line(
    start: Float[Tensor, " embedding"], end: Float[Tensor, " embedding"], positions: Float[Tensor, " points"]
) -> Float[Tensor, "points embedding"]:
    """Points on the straight line through two embeddings: `start` at position 0, `end` at 1.

    Example:
        >>> import torch
        >>> line(torch.tensor([0.0, 2.0]), torch.tensor([4.0, 2.0]), torch.tensor([0.25, 1.5]))
        tensor([[1., 2.],
                [6., 2.]])
    """
    return start + positions[:, None].to(start) * (end - start)


@dataclasses.dataclass(frozen=True)
class EmbeddingPlane:
    """Plane in the space of embeddings, with a coordinate system in it.

    Attributes:
        origin: Embedding with the coordinates (0, 0).
        axes: Two orthonormal vectors.
        explained: Fraction of the embeddings' variance along each axis; None where embeddings have two dimensions.
    """

    origin: Float64[np.ndarray, " embedding"]
    axes: Float64[np.ndarray, "2 embedding"]
    explained: Float64[np.ndarray, "2"] | None

    def through(self, embedding: Float64[np.ndarray, " embedding"]) -> EmbeddingPlane:
        """Parallel plane through an embedding, which keeps its coordinates."""
        return dataclasses.replace(self, origin=embedding - self.coordinates(embedding[None])[0] @ self.axes)

    def coordinates(self, embeddings: Float64[np.ndarray, "points embedding"]) -> Float64[np.ndarray, "points 2"]:
        """Coordinates of embeddings, projected onto the plane."""
        return np.asarray((embeddings - self.origin) @ self.axes.T)

    def points(self, coordinates: Float64[np.ndarray, "points 2"]) -> Float64[np.ndarray, "points embedding"]:
        """Embeddings in the plane with these coordinates."""
        return np.asarray(self.origin + coordinates @ self.axes)


def plane_of(embeddings: Float64[np.ndarray, "tasks embedding"]) -> EmbeddingPlane:
    """Plane of the two principal axes of embeddings; for embeddings of two dimensions the plane itself.

    Args:
        embeddings: Learned embeddings, one a task.

    Raises:
        ConfigurationError: Embeddings have one dimension, or are too few to have principal axes.

    Example:
        >>> plane = plane_of(np.array([[0.0, 0.0, 3.0], [2.0, 0.0, 3.0], [1.0, 1.0, 3.0], [1.0, -1.0, 3.0]]))
        >>> plane.origin.tolist(), plane.explained.tolist()
        ([1.0, 0.0, 3.0], [0.5, 0.5])
    """
    tasks, dimensions = embeddings.shape
    if dimensions < 2:
        raise ConfigurationError(
            "there is no plane of embeddings with learner.embedding_dim=1; run the experiment with two or more."
        )
    if dimensions == 2:
        return EmbeddingPlane(np.zeros(2), np.eye(2), None)
    if tasks < 3:
        raise ConfigurationError(
            f"{tasks} embeddings of {dimensions} dimensions lie in no plane of their own: it takes three tasks, or"
            " learner.embedding_dim=2."
        )
    from sklearn.decomposition import PCA  # a second, which pages of results do without

    principal = PCA(n_components=2, svd_solver="full").fit(embeddings)
    return EmbeddingPlane(principal.mean_, principal.components_, principal.explained_variance_ratio_)


def square_around(
    coordinates: Float64[np.ndarray, "points 2"], resolution: int
) -> tuple[Float64[np.ndarray, " x"], Float64[np.ndarray, " y"]]:
    """Lines of a square grid with all points well inside; about a single point, one unit to each side.

    Args:
        coordinates: Coordinates of the points.
        resolution: Number of lines in each direction.

    Example:
        >>> x, y = square_around(np.array([[0.0, 0.0], [2.0, 0.0]]), resolution=3)
        >>> x.tolist(), y.tolist()
        ([-0.5, 1.0, 2.5], [-1.5, 0.0, 1.5])
    """
    center = (coordinates.max(0) + coordinates.min(0)) / 2
    half = _MARGIN * np.linalg.norm(coordinates - center, axis=1).max() or 1.0
    x, y = (np.linspace(middle - half, middle + half, resolution) for middle in center)
    return x, y


def share_near(accuracy: Float64[np.ndarray, "rows columns"], best: float, tolerance: float) -> float:
    """Fraction of a grid of accuracies that is at most `tolerance` below `best`.

    Example:
        >>> share_near(np.array([[0.5, 0.985], [1.0, 0.9]]), best=0.99, tolerance=0.01)
        0.5
    """
    return float((accuracy >= best - tolerance).mean())
