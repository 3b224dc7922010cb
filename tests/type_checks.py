"""Checks of types and shapes at run time; whole numbers are taken for numbers, as by Python's own typing (PEP 484)."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype

_sizes_of_one_call = jaxtyping.jaxtyped("context")
_configured = beartype(conf=BeartypeConf(is_pep484_tower=True))
Checked = TypeVar("Checked", type, Callable[..., Any])


def install() -> None:
    """Let every function of the package that is imported from now on be checked."""
    # What the hook calls with each function. What jaxtyping makes there takes ten times as long at each call, for the
    # sake of errors that say more.
    jaxtyping.jaxtyped = lambda *, typechecker: typechecker
    jaxtyping.install_import_hook("hypermnesia", f"{__name__}.checked")


def checked(made: Checked) -> Checked:
    """Let a function check its arguments and its result, or a dataclass what it is made of."""
    if inspect.isclass(made):
        if dataclasses.is_dataclass(made) and "__init__" in vars(made):
            made.__init__ = checked(made.__init__)
        return made
    if "<locals>" in made.__qualname__:  # made at each call of another, and its checks with it
        return made
    made.__annotations__ = {name: _resolved(kind, made.__globals__) for name, kind in made.__annotations__.items()}
    checking = _configured(made)

    @functools.wraps(made)
    def checked_unless_told(*arguments: Any, **named: Any) -> Any:
        if jaxtyping.config.jaxtyping_disable:
            return made(*arguments, **named)
        with _sizes_of_one_call:  # those of the same name are the same
            return checking(*arguments, **named)

    return checked_unless_told


def _resolved(kind: Any, names: dict[str, Any]) -> Any:
    """The type that an annotation names; any where only checkers of types know that name."""

    def holder() -> None: ...

    holder.__annotations__ = {"kind": kind}
    try:
        return get_type_hints(holder, names, include_extras=True)["kind"]
    except Exception:
        return Any
