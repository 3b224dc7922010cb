"""stand-in until merged"""

from typing import Any

from torch import Tensor


def as_inputs(value: Any) -> Tensor:
    return value
