"""The plane in the space of task embeddings that shows most of how the learned ones differ."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float64
from sklearn.decomposition import PCA

from hypermnesia.errors import ConfigurationError

_MARGIN = 1.5
"""Half the side of the square that is looked at, in largest distances of an embedding from its center."""


@dataclasses.dataclass(frozen=True)
class EmbeddingPlane:
    """A plane and a coordinate system in it.

    Attributes:
        origin: The point with the coordinates (0, 0).
        axes: Two orthonormal vectors.
        explained: Which fraction of the embeddings' variance lies along each axis; None where there are no directions
            but these two.
    """

    origin: Float64[np.ndarray, " embedding"]
    axes: Float64[np.ndarray, "2 embedding"]
    explained: Float64[np.ndarray, "2"] | None

    def through(self, embedding: Float64[np.ndarray, " embedding"]) -> EmbeddingPlane:
        """The parallel plane in which an embedding lies, where it keeps its coordinates."""
        return dataclasses.replace(self, origin=embedding - self.coordinates(embedding[None])[0] @ self.axes)

    def coordinates(self, embeddings: Float64[np.ndarray, "points embedding"]) -> Float64[np.ndarray, "points 2"]:
        """Where embeddings lie, projected onto the plane."""
        return np.asarray((embeddings - self.origin) @ self.axes.T)

    def points(self, coordinates: Float64[np.ndarray, "points 2"]) -> Float64[np.ndarray, "points embedding"]:
        """The embeddings that have these coordinates."""
        return np.asarray(self.origin + coordinates @ self.axes)


def plane_of(embeddings: Float64[np.ndarray, "tasks embedding"]) -> EmbeddingPlane:
    """The plane itself for embeddings of two dimensions, else the plane of their two principal axes.

    Args:
        embeddings: The learned ones.

    Raises:
        ConfigurationError: They have one dimension, or there are too few of them to have principal axes.

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
    principal = PCA(n_components=2, svd_solver="full").fit(embeddings)
    return EmbeddingPlane(principal.mean_, principal.components_, principal.explained_variance_ratio_)


def square_around(
    coordinates: Float64[np.ndarray, "points 2"], resolution: int
) -> tuple[Float64[np.ndarray, " x"], Float64[np.ndarray, " y"]]:
    """The lines of a square grid with all points well inside; about a single point, one to each side.

    Args:
        coordinates: Of the points.
        resolution: Lines in each direction.

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
    """Which fraction of a grid of accuracies is at most `tolerance` below `best`.

    Example:
        >>> share_near(np.array([[0.5, 0.985], [1.0, 0.9]]), best=0.99, tolerance=0.01)
        0.5
    """
    return float((accuracy >= best - tolerance).mean())
