"""Checks of types at run time; whole numbers are taken for numbers, as Python's own typing does (PEP 484)."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

_CONFIGURED = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Callable[..., Any], *others: Any, **options: Any) -> Callable[..., Any]:
    """Let a function check its types, unless a function made it.

    A function within another is made at each call of that one: making its checks took a fifth of all tests' time.
    """
    if "<locals>" in getattr(function, "__qualname__", ""):
        return function
    made: Callable[..., Any] = _CONFIGURED(function, *others, **options)
    return made
