"""The checklist of a release: what must be so, what is made, and what is left to a person. It uploads nothing.

Run by `make release`, in a clone whose version and changelog are ready.
"""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def told(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def obstacles(project: dict[str, Any]) -> Iterator[str]:
    """A sentence for everything that is not yet as a release must be."""
    version = project["version"]
    if changed := told("git", "status", "--porcelain"):
        yield f"Files differ from what is committed:\n{changed}"
    if (branch := told("git", "branch", "--show-current")) != "main":
        yield f"The branch is {branch or 'none'}, not main."
    if told("git", "tag", "--list", f"v{version}"):
        yield f"There is a tag v{version} already: raise the version in pyproject.toml and CITATION.cff."
    address = told("git", "config", "--default", "", "--get", "remote.origin.url").removesuffix(".git")
    if address.replace("git@github.com:", "https://github.com/") != project["urls"]["Source"]:
        yield (
            f"The remote origin is {address or 'missing'}, and [project.urls] says {project['urls']['Source']}: whoever"
            " reads the package index would be sent elsewhere."
        )
    if f"\nversion: {version}\n" not in Path("CITATION.cff").read_text("utf-8"):
        yield f"CITATION.cff has another version than pyproject.toml, {version}."
    newest = re.search(r"^## \[(.+?)\] - (.+)$", Path("CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    if newest is None or newest.groups() != (version, today):
        yield f"The newest entry of CHANGELOG.md must begin with: ## [{version}] - {today}"


def main() -> None:
    """Check, test, build and tag; exits with 1 where something is in the way."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    if found := list(obstacles(project)):
        sys.exit("\n".join(["Not ready to be released:", *(f"- {each}" for each in found)]))
    subprocess.run(["make", "CI=true", "test", "test-slow", "docs"], check=True)
    shutil.rmtree("dist", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--no-isolation"], check=True)
    made = sorted(map(str, Path("dist").iterdir()))
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *made], check=True)
    tag = f"v{project['version']}"
    told("git", "tag", "--annotate", tag, "--message", f"hypermnesia {project['version']}")
    print(
        f"Tagged {tag}; nothing has left this machine. What is left:\n"
        f"  git push origin main {tag}\n"
        f"  python -m twine upload {' '.join(made)}\n"
        f"  a release of {tag} at {project['urls']['Source']}/releases/new, with its entry of CHANGELOG.md"
    )


if __name__ == "__main__":
    main()
