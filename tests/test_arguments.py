"""Whole numbers are taken from wherever they come, and nothing else is."""

import numpy as np
import pytest
import torch

from hypermnesia.arguments import whole_number
from hypermnesia.errors import ConfigurationError
from hypermnesia.seeds import Seeds

pytestmark = pytest.mark.usefixtures("unchecked")

NUMBERS = [3, np.int64(3), np.int32(3), np.uint8(3), np.array(3), torch.tensor(3), torch.tensor([3], dtype=torch.int8)]
NO_NUMBERS = [
    3.0, 3.7, "3", None, True, np.True_, np.float64(3), torch.tensor(3.0), torch.tensor(True), torch.tensor([3, 4]), [3]
]  # fmt: skip


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_a_whole_number_of_any_library_is_an_int(value):
    number = whole_number(value, "seed")
    assert (type(number), number) == (int, 3)
    assert Seeds(value) == Seeds(3)
    assert Seeds(value).child("a").integer() == Seeds(3).child("a").integer()


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ConfigurationError, match="seed must be a whole number such as 3, not "):
        Seeds(value)


def test_numbers_too_small_and_values_too_long_are_refused_in_a_line():
    with pytest.raises(ConfigurationError, match="count must be 1 or more, not 0"):
        whole_number(0, "count", least=1)
    with pytest.raises(ConfigurationError) as error:
        whole_number("x" * 10_000, "count")
    assert len(str(error.value)) < 200
