import numpy as np
import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.embedding_plane import plane_of, square_around

RANDOM = np.random.default_rng(0)


def test_embeddings_of_two_dimensions_have_their_own_plane():
    embeddings = RANDOM.normal(size=(4, 2))
    plane = plane_of(embeddings)
    assert plane.explained is None
    np.testing.assert_array_equal(plane.coordinates(embeddings), embeddings)
    np.testing.assert_array_equal(plane.through(embeddings[2]).points(embeddings), embeddings)


def test_embeddings_in_a_tilted_plane_are_found_in_it():
    """Orthonormal axes, all of the variance, and the way there and back."""
    axes = np.linalg.qr(RANDOM.normal(size=(7, 2)))[0].T
    embeddings = 5 + RANDOM.normal(size=(6, 2)) * [3, 1] @ axes
    plane = plane_of(embeddings)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    assert plane.explained.sum() == pytest.approx(1)
    assert plane.explained[0] > plane.explained[1]
    np.testing.assert_allclose(plane.points(plane.coordinates(embeddings)), embeddings)


def test_a_parallel_plane_holds_the_embedding_where_its_coordinates_are():
    embeddings = RANDOM.normal(size=(5, 9))
    plane = plane_of(embeddings)
    place = plane.coordinates(embeddings)
    assert np.abs(plane.points(place)[3] - embeddings[3]).max() > 0.1
    through = plane.through(embeddings[3])
    np.testing.assert_allclose(through.points(place)[3], embeddings[3])
    np.testing.assert_allclose(through.coordinates(embeddings), place)


def test_all_embeddings_lie_well_inside_the_square():
    places = RANDOM.normal(size=(5, 2)) * [4, 1]
    x, y = square_around(places, 11)
    assert len(x) == len(y) == 11
    assert x[-1] - x[0] == pytest.approx(y[-1] - y[0])
    assert x[0] < places[:, 0].min() and places[:, 0].max() < x[-1]
    assert y[0] < places[:, 1].min() and places[:, 1].max() < y[-1]
    assert [line.tolist() for line in square_around(np.ones((1, 2)), 3)] == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize(
    ("shape", "message"), [((5, 1), "embedding_dim=1"), ((2, 3), "2 embeddings of 3 dimensions lie in no plane")]
)
def test_where_there_is_no_plane_that_is_told(shape, message):
    with pytest.raises(ConfigurationError, match=message):
        plane_of(RANDOM.normal(size=shape))
