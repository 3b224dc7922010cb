"""Packages that not everybody needs: which extra brings them, and what is said where they are missing.

Imports no torch.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from importlib import metadata

from hypermnesia.errors import ConfigurationError

_REQUIREMENT = re.compile(r"([\w.-]+)(?:.*;.*extra == ['\"]([\w-]+)['\"])?")


def extras() -> list[str]:
    """Names of all extras, as the installed package says itself."""
    return metadata.metadata("hypermnesia").get_all("Provides-Extra") or []


def packages_of(extra: str | None) -> list[str]:
    """The packages that an extra brings, or the library alone; none of an extra that there is not.

    Args:
        extra: Name of the extra; None for what is always installed.

    Example:
        >>> packages_of("onnx")
        ['onnx', 'onnxscript']
    """
    found = map(_REQUIREMENT.match, metadata.requires("hypermnesia") or [])
    return [each[1] for each in found if each and each[2] == extra and each[1] != "hypermnesia"]


def version_of(package: str) -> str | None:
    """The version of a package; None where it is not installed.

    Example:
        >>> version_of("no-such-package") is None
        True
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def missing(extra: str) -> list[str]:
    """Those of an extra's packages that are not installed."""
    return [package for package in packages_of(extra) if version_of(package) is None]


def lacking(what: str, extra: str, packages: Iterable[str]) -> str:
    """The sentence for people where packages are missing.

    Args:
        what: What needs them, as the subject of a sentence.
        extra: Which extra brings them.
        packages: Their names.

    Example:
        >>> lacking("A cluster", "cluster", ["dask"])
        "A cluster needs dask, which is not installed: pip install 'hypermnesia[cluster]'"
    """
    names = list(packages)
    verb = "is" if len(names) == 1 else "are"
    return f"{what} needs {', '.join(names)}, which {verb} not installed: pip install 'hypermnesia[{extra}]'"


@contextlib.contextmanager
def needed(what: str, extra: str) -> Iterator[None]:
    """Let a package that is missing, where it is imported, be a sentence that names its extra.

    Args:
        what: What needs it, as the subject of a sentence.
        extra: Which extra brings it.

    Raises:
        ConfigurationError: It is missing.

    Example:
        >>> with needed("Nothing", "cli"):
        ...     import no_such_package
        Traceback (most recent call last):
        hypermnesia.errors.ConfigurationError: Nothing needs no_such_package, which is not installed: ...
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise ConfigurationError(lacking(what, extra, [package])) from error
