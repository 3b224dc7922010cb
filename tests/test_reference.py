"""The reference on the documentation site shows every public name."""

import importlib
import pydoc
import re
from pathlib import Path
from types import ModuleType

import hypermnesia

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
DIRECTIVE = re.compile(r"^\.\. auto(\w+):: (\S+)$", re.MULTILINE)
PARTS = ("inputs", "protection", "replay", "standard")
"""Packages that those know who write a learner."""
PACKAGES = [
    hypermnesia,
    *(found for name in hypermnesia.__all__ if isinstance(found := getattr(hypermnesia, name), ModuleType)),
    *(importlib.import_module(f"hypermnesia.{name}") for name in PARTS),
]


def shown() -> list[tuple[str, str]]:
    """Kind and name of whatever is shown."""
    pages = "\n".join(path.read_text("utf-8") for path in sorted(REFERENCE.glob("*.rst")))
    return DIRECTIVE.findall(pages)


def test_every_public_name_is_in_the_reference():
    names = {name for _, name in shown()}
    things = [pydoc.locate(name) for name in names]
    missing = [
        f"{package.__name__}.{name}"
        for package in PACKAGES
        for name in getattr(package, "__all__", ())
        if not isinstance(thing := getattr(package, name), ModuleType)
        and f"{package.__name__}.{name}" not in names
        and not any(thing is each for each in things)
    ]
    assert not missing


def test_every_public_module_is_in_the_reference():
    modules = {name for kind, name in shown() if kind == "module"}
    pages = "\n".join(path.read_text("utf-8") for path in REFERENCE.glob("*.rst"))
    for package in PACKAGES:
        if not hasattr(package, "__all__"):
            assert package.__name__ in modules
        elif package.__name__.rpartition(".")[2] not in PARTS:
            assert f".. module:: {package.__name__}\n" in pages


def test_nothing_is_shown_twice_and_everything_shown_is_there():
    names = [name for _, name in shown()]
    assert len(names) == len({*names}) > 100
    assert all(pydoc.locate(name) is not None for name in names)
