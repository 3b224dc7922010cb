"""The documentation site is built without a network and without a warning, and holds what it should."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer

from hypermnesia.cli.main import app
from tests.test_reference import shown

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does it, with all ways to a network closed."""
    out = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "--conf-dir",
        "docs/site",
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
    ]
    closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {**os.environ, **closed, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--doctree-dir", str(out / "doctrees"), ".", str(out / "site")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "site"


def page(site: Path, name: str) -> str:
    return (site / f"{name}.html").read_text("utf-8")


def test_the_reference_shows_what_its_sources_name(site: Path) -> None:
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    names = {name for kind, entries in inventory.data.items() if kind.startswith("py:") for name in entries}
    assert {name for kind, name in shown() if kind != "module"} <= names


def test_types_are_linked(site: Path) -> None:
    text = page(site, "docs/reference/learners")
    for place in ("torch.nn.Module", "pathlib.Path", "hypermnesia.TrainingSettings"):
        assert re.search(rf'href="[^"]*#{re.escape(place)}"', text), place


def test_every_command_is_there_with_its_options(site: Path) -> None:
    text = page(site, "docs/commands")
    command = typer.main.get_command(app)
    analyses = command.commands["analyze"].commands
    for name in [*command.commands, *(f"analyze {each}" for each in analyses)]:
        assert f"hypermnesia {name}" in text, name
    assert "--with-parent" in text
    assert "Continue an interrupted run with" in text


def test_notebooks_show_their_figures(site: Path) -> None:
    for name in ("protect_your_network", "from_a_run_to_a_figure"):
        text = page(site, f"notebooks/{name}")
        assert re.search(r"<img[^>]+\.svg|<svg", text), name
    assert "forgetting" in page(site, "notebooks/protect_your_network")


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)="((?:https?:)?//[^"]+)"')
    for path in site.rglob("*.html"):
        assert not loads.findall(path.read_text("utf-8")), path


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name == "id" and value:
                self.places.add(value)


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    pages = {}
    for path in site.rglob("*.html"):
        pages[path.resolve()] = _Links()
        pages[path.resolve()].feed(path.read_text("utf-8"))
    broken = []
    for path, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists() or (
                parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places
            ):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken
