"""Functions that settings name, as `my_module:make_tasks`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, JsonValue

from hypermnesia.errors import ConfigurationError, did_you_mean


def _of_a_function(name: str) -> str:
    module, colon, place = name.partition(":")
    if not (colon and all(part.isidentifier() for part in [*module.split("."), *place.split(".")])):
        raise ValueError("must name a module and a function in it, as my_module:my_function")
    return name


Name: TypeAlias = Annotated[str, AfterValidator(_of_a_function)]
"""Name of a function: `module:function`, `package.module:function`."""

Arguments: TypeAlias = dict[str, JsonValue]
"""Keyword arguments of a function."""

_SHOWN = 500
"""Characters that are shown of an error."""


def call(name: str, arguments: dict[str, Any]) -> Any:
    """Call a function that settings name. Modules are found where Python finds them, and in the current directory.

    Args:
        name: Name of the function, as `my_module:make_tasks`.
        arguments: Its keyword arguments.

    Raises:
        ConfigurationError: There is no such module or function, or it does not take these arguments, or it fails.

    Example:
        >>> call("math:hypot", {})
        0.0
    """
    function = _function(name)
    try:
        return function(**arguments)
    except (Exception, SystemExit) as error:  # whatever somebody's code raises
        given = ", ".join(arguments) or "none"
        raise ConfigurationError(f"{name} fails with {_said(error)} (arguments given: {given}).") from error


def _said(error: BaseException) -> str:
    """What an error of somebody's code says, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}"


def _function(name: str) -> Callable[..., Any]:
    module, _, place = name.partition(":")
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 - a text, as sys.path has
        sys.path.append(here)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{module}.".startswith(f"{error.name}."):
            raise ConfigurationError(f"{name}: module {module} needs {error.name}, which is not installed.") from error
        raise ConfigurationError(
            f"{name}: there is no module {error.name or module}, neither installed nor in {here}."
        ) from error
    except (Exception, SystemExit) as error:  # whatever somebody's code raises
        raise ConfigurationError(f"{name}: module {module} cannot be imported: {_said(error)}.") from error
    for part in place.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(f"{name}: there is no {part} in {module}.{did_you_mean(part, dir(found))}")
        found = getattr(found, part)
    if not callable(found):
        raise ConfigurationError(f"{name} is no function, but a {type(found).__name__}.")
    function: Callable[..., Any] = found
    return function
