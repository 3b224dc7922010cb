"""The run-time checks are on: they would be silently off, had the package been imported before them."""

import jaxtyping
import pytest

from hypermnesia.seeds import Seeds


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        Seeds(root="zero")  # type: ignore[arg-type]
