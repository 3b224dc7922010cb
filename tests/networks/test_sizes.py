import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermnesia.networks import mlp
from hypermnesia.networks.sizes import num_weights, widths_of_size

WIDTHS = st.integers(1, 40)


@given(WIDTHS, st.lists(WIDTHS, max_size=3), WIDTHS)
def test_weights_are_those_of_the_network(inputs, hidden, outputs):
    network = mlp(inputs, hidden, outputs)
    assert num_weights(inputs, hidden, outputs) == sum(p.numel() for p in network.parameters())


@given(WIDTHS, st.lists(WIDTHS, min_size=1, max_size=3), st.lists(st.integers(2, 5), min_size=1), st.integers(1, 20000))
def test_no_other_factor_comes_nearer(inputs, hidden, outputs, size):
    def together(widths):
        return sum(num_weights(inputs, widths, each) for each in outputs)

    def scaled(widest):
        return tuple(max(1, round(widest * width / max(hidden))) for width in hidden)

    found = widths_of_size(inputs, hidden, outputs, size)
    sizes = [together(scaled(1))]
    sizes += itertools.takewhile(lambda each: each <= 4 * size, (together(scaled(n)) for n in range(2, 20000)))
    if found is None:
        assert sizes[0] > size
    else:
        assert abs(together(found) - size) == min(abs(each - size) for each in sizes)


@pytest.mark.parametrize("hidden", [(400, 400), (300, 100), (7,)])
def test_its_own_size_gives_the_network_itself(hidden):
    assert widths_of_size(784, hidden, [2] * 5, 5 * num_weights(784, hidden, 2)) == hidden
