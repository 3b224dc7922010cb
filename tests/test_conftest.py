"""The run-time checks are on: they would be silently off, had the package been imported before them."""

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation

from hypermnesia.evaluation.embeddings import line
from hypermnesia.seeds import Seeds

ZERO = torch.zeros(())


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(BeartypeCallHintViolation):
        Seeds(root="zero")  # type: ignore[arg-type]


def test_sizes_of_the_same_name_are_the_same_within_a_call_and_may_differ_between_calls() -> None:
    with pytest.raises(BeartypeCallHintViolation):
        line(ZERO.expand(2), ZERO.expand(1), ZERO.expand(1))
    assert [len(line(ZERO.expand(size), ZERO.expand(size), ZERO.expand(1))[0]) for size in (2, 3)] == [2, 3]


@pytest.mark.usefixtures("unchecked")
def test_what_the_package_itself_says_of_wrong_arguments_can_be_tried() -> None:
    assert line(ZERO.expand(2), ZERO.expand(1), ZERO.expand(1)).shape == (1, 2)
