"""Arguments as people give them, checked or refused with a sentence."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from hypermnesia.errors import ConfigurationError, shown


def whole_number(value: Any, name: str, least: int | None = None) -> int:
    """Return an argument that is a whole number as an `int`, whether Python, NumPy or PyTorch has made it.

    Args:
        value: What was given.
        name: Name of the argument, as errors call it.
        least: Smallest number allowed; None where all are.

    Raises:
        ConfigurationError: It is no whole number, such as a boolean, a text, or 3.0; or it is too small.

    Example:
        >>> import torch
        >>> whole_number(np.int64(3), "seed"), whole_number(torch.tensor(3), "seed")
        (3, 3)
    """
    try:
        # One truth value is an index to Python, but no number to a person.
        number = operator.index(value) if _kind(value) not in ("bool", "torch.bool") else None
    except (TypeError, ValueError, RuntimeError):  # PyTorch's for a tensor of several numbers is among these
        number = None
    if number is None:
        raise ConfigurationError(f"{name} must be a whole number such as 3, not {shown(value)}")
    if least is not None and number < least:
        raise ConfigurationError(f"{name} must be {least} or more, not {number}")
    return number


def _kind(value: Any) -> str:
    return str(getattr(value, "dtype", type(value).__name__)) if not isinstance(value, bool | np.bool_) else "bool"
