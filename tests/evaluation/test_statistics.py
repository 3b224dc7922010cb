import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hypermnesia.evaluation.statistics import thinned


@given(points=st.integers(1, 60), most=st.integers(1, 20))
def test_few_points_remain_and_all_count(points, most):
    values = np.random.default_rng(0).random((2, points))
    fewer = thinned(values, most)
    assert fewer.shape[1] <= most or points <= most
    size = -(-points // most)
    pieces = [values[:, start : start + size] for start in range(0, points, size)]
    np.testing.assert_allclose(fewer, np.stack([piece.mean(axis=1) for piece in pieces], axis=1))


def test_a_short_curve_stays_as_it_is():
    values = np.array([[1.0, 2.0, 4.0]])
    assert thinned(values, 3) is values
