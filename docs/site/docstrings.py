"""What docstrings and annotations of the package become before Sphinx reads them."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from pydoc import locate
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer
from torch import nn

from hypermnesia.settings import Settings

# Names of arguments that share a description, over several lines.
NAMES = re.compile(r"^( +)((?:\w+, )*\w+,\n(?: +(?:\w+, )*\w+,\n)* +(?:\w+, )*\w+:)", re.MULTILINE)

COLON = "\N{COLON SIGN}"
PACKAGES = [
    *("criteria", "data", "inputs", "learners", "networks"),
    *("protection", "replay", "standard", "tasks", "training"),
]
CLASS = re.compile(r"^\.\. autoclass:: (\S+)$", re.MULTILINE)


def modules() -> Iterator[ModuleType]:
    """All modules of the library half."""
    for package in PACKAGES:
        parent = importlib.import_module(f"hypermnesia.{package}")
        yield parent
        for found in pkgutil.iter_modules(parent.__path__, f"{parent.__name__}."):
            yield importlib.import_module(found.name)


def plain_settings(app: Sphinx) -> None:
    """Show the type of a setting without the checks it is annotated with, which are for pydantic, and its default."""
    assert [*modules()]  # so that all settings are there

    def show_plainly(kind: type[Settings]) -> None:
        for child in kind.__subclasses__():
            hints = typing.get_type_hints(child)
            child.__annotations__ = {name: hints[name] for name in inspect.get_annotations(child)}
            for name in child.__annotations__.keys() & child.model_fields.keys():
                field = child.model_fields[name]
                if not (field.is_required() or field.default_factory or isinstance(field.default, Settings)):
                    setattr(child, name, field.default)
            show_plainly(child)

    show_plainly(Settings)


def signature(app: Sphinx, what: str, name: str, obj: Any, *_: Any) -> tuple[str, None] | None:
    """Leave out the signature of settings: their fields stand below, each with its default."""
    return ("", None) if isinstance(obj, type) and issubclass(obj, Settings) else None


def bases(app: Sphinx, name: str, obj: type, options: Any, found: list[Any]) -> None:
    """Show the nearest bases that the reference shows: of what files a class is made need not be known."""
    found[:] = dict.fromkeys(ancestor for base in found for ancestor in nearest_shown(base)) or [object]


def nearest_shown(base: Any) -> list[Any]:
    """A class, or what stands for it where the reference does not show it."""
    if base in shown() or not isinstance(base, type):
        return [base]
    if not base.__module__.startswith("hypermnesia."):
        return [base] if base in (nn.Module, UserWarning) or issubclass(base, Exception) else []
    return [ancestor for parent in base.__bases__ for ancestor in nearest_shown(parent)]


@functools.cache
def shown() -> set[type]:
    """Classes that the reference shows."""
    pages = (Path(__file__).parents[1] / "reference").glob("*.rst")
    return {
        thing
        for page in pages
        for name in CLASS.findall(page.read_text("utf-8"))
        if isinstance(thing := locate(name), type)
    }


def docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Prepare a docstring for Napoleon, which runs after this."""
    if what == "data":
        lines[:] = comment_of(name.rpartition(".")[2], obj) or lines
    if what in ("attribute", "data", "property") and lines:
        lines[0] = lines[0].replace(":", COLON)  # or Napoleon takes what is before it for a type
    text = NAMES.sub(lambda match: match[1] + " ".join(match[2].split()), "\n".join(lines))
    lines[:] = text.split("\n")


def colons(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Put back what was hidden from Napoleon, which runs before this."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def comment_of(name: str, value: Any) -> list[str]:
    """What stands below a constant, in whichever module defines it."""
    for module in modules():
        if getattr(module, name, None) is value:
            with contextlib.suppress(PycodeError):
                if said := ModuleAnalyzer.for_module(module.__name__).find_attr_docs().get(("", name)):
                    return said
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to autodoc."""
    app.connect("builder-inited", plain_settings)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-bases", bases)
    app.connect("autodoc-process-docstring", docstring, priority=400)
    app.connect("autodoc-process-docstring", colons, priority=600)
    return {"parallel_read_safe": True}
