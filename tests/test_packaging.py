"""What pyproject.toml says of the package is what the sources need."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "hypermnesia"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
APPLICATION = {"cli", "report", "analyses", "charts", "experiments"}
PARTS_OF_OTHERS = {"pydantic_core": "pydantic"}
DISTRIBUTIONS = metadata.packages_distributions()


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


BASE = names(PROJECT["dependencies"])
EXTRAS = {extra: names(packages) for extra, packages in PROJECT["optional-dependencies"].items()}
FILES = sorted(PACKAGE.rglob("*.py"))


def is_of_library(file: Path) -> bool:
    return file.relative_to(PACKAGE).parts[0] not in APPLICATION


def imported(nodes: list[ast.stmt]) -> set[str]:
    """Packages of others that are imported by statements, those inside of them included."""
    found = set()
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).partition(".")[0])
    others = {name for name in found if name not in sys.stdlib_module_names and name != "hypermnesia"}
    return {canonicalize_name(PARTS_OF_OTHERS.get(name) or DISTRIBUTIONS[name][0]) for name in others}


def at_once(file: Path) -> list[ast.stmt]:
    """The statements by which importing a module imports others."""
    return [each for each in ast.parse(file.read_text("utf-8")).body if isinstance(each, ast.Import | ast.ImportFrom)]


def half(file: Path) -> set[str]:
    return BASE if is_of_library(file) else BASE | EXTRAS["cli"]


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


NEED_AN_EXTRA = {name_of(file) for file in FILES if not imported(at_once(file)) <= half(file)}
"""Modules about a package that an extra brings, which others import inside of functions."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_what_its_half_brings_and_inside_of_functions_what_an_extra_does(file):
    assert imported(ast.parse(file.read_text("utf-8")).body) <= half(file).union(*EXTRAS.values())
    for statement in at_once(file):
        named = [alias.name for alias in statement.names]
        parent = getattr(statement, "module", None)
        assert not NEED_AN_EXTRA & {parent, *named, *(f"{parent}.{name}" for name in named)}


def test_what_needs_an_extra_at_once_is_little():
    assert len(NEED_AN_EXTRA) < 10


def test_nothing_is_brought_that_nothing_imports():
    everything = {half: set() for half in (True, False)}
    for file in FILES:
        everything[is_of_library(file)] |= imported(ast.parse(file.read_text("utf-8")).body)
    assert everything[True] >= BASE
    assert everything[False] >= EXTRAS["cli"]


def test_every_package_that_is_named_has_an_exact_version():
    pinned = {
        canonicalize_name(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if "==" in line
    }
    assert pinned >= BASE.union(*EXTRAS.values()) - {"hypermnesia"}


def test_version_and_address_are_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.*)$", citation, flags=re.M) == [PROJECT["version"]]
    assert re.findall(r"^repository-code: (.*)$", citation, flags=re.M) == [PROJECT["urls"]["Source"]]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## \[(.*?)\]", changelog, flags=re.M)[0] == PROJECT["version"]
    for name, address in PROJECT["urls"].items():
        assert name == "Paper" or address.startswith(PROJECT["urls"]["Source"])
    assert f"{PROJECT['urls']['Source']}/security/advisories/new" in (ROOT / "SECURITY.md").read_text("utf-8")


def test_the_command_without_its_packages_says_what_to_install():
    code = (
        "import sys; from importlib import metadata; from unittest import mock; from hypermnesia.__main__ import main\n"
        "def version(name, known=metadata.version):\n"
        "    if name == 'typer': raise metadata.PackageNotFoundError(name)\n"
        "    return known(name)\n"
        "with mock.patch('importlib.metadata.version', version): main()"
    )
    ended = subprocess.run([sys.executable, "-c", code, "run"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "Error: The command hypermnesia needs typer, which is not installed: pip install 'hypermnesia[cli]'\n"
    )
