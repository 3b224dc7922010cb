"""The reference on the documentation site shows every public name."""

import importlib
import re
import types
from pathlib import Path

import hypermnesia

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
DIRECTIVE = re.compile(r"^\.\. auto(\w+):: (\S+)$", re.MULTILINE)
PACKAGES = [hypermnesia, *(each for name in hypermnesia.__all__ if isinstance(each := getattr(hypermnesia, name), types.ModuleType))]


def shown() -> dict[str, str]:
    """Kind of what is shown, by its name."""
    pages = "\n".join(path.read_text("utf-8") for path in sorted(REFERENCE.glob("*.rst")))
    return {name: kind for kind, name in DIRECTIVE.findall(pages)}


def there(name: str) -> object:
    """What a dotted name stands for."""
    parent, _, last = name.rpartition(".")
    return getattr(there(parent), last) if parent and not _is_module(name) else importlib.import_module(name)


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def test_every_public_name_is_in_the_reference():
    names = shown()
    objects = [there(name) for name in names]
    missing = [
        f"{package.__name__}.{name}"
        for package in PACKAGES
        for name in getattr(package, "__all__", ())
        if f"{package.__name__}.{name}" not in names
        and not isinstance(thing := getattr(package, name), types.ModuleType)
        and not any(thing is each for each in objects)
    ]
    assert not missing


def test_every_public_package_has_a_page():
    pages = "\n".join(path.read_text("utf-8") for path in REFERENCE.glob("*.rst"))
    for package in PACKAGES:
        assert f"``{package.__name__}``" in pages or f"automodule:: {package.__name__}\n" in pages


def test_nothing_is_shown_twice():
    found = DIRECTIVE.findall("\n".join(path.read_text("utf-8") for path in REFERENCE.glob("*.rst")))
    assert len(found) == len({name for _, name in found})
