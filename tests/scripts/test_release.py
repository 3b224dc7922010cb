"""The checklist of a release, in a repository made for it."""

import datetime
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "release.py"
ADDRESS = "https://github.com/hypermnesia/hypermnesia"


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A package that is ready."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "Somebody")
        monkeypatch.setenv(f"{name}_EMAIL", "somebody@example.org")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    files = {
        "pyproject.toml": (
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            '[project]\nname = "small"\nversion = "1.2.0"\nrequires-python = ">=3.11"\n'
            'description = "A small package"\nreadme = "README.md"\n'
            f'[project.urls]\nSource = "{ADDRESS}"\n'
        ),
        "README.md": "# Small\n",
        "CHANGELOG.md": f"# Changelog\n\n## [1.2.0] - {today}\n\n- New.\n",
        "CITATION.cff": "title: small\nversion: 1.2.0\n",
        "Makefile": "test test-slow docs:\n\t@echo $@ >> made\n",
        ".gitignore": "dist/\nmade\n",
        "small/__init__.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    git(tmp_path, "init", "--initial-branch=main")
    git(tmp_path, "remote", "add", "origin", "git@github.com:hypermnesia/hypermnesia.git")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message=All")
    return tmp_path


def release(repository: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT], cwd=repository, capture_output=True, text=True)


@pytest.mark.slow
def test_what_is_ready_is_tested_built_checked_and_tagged(repository):
    done = release(repository)
    assert done.returncode == 0, done.stderr
    assert (repository / "made").read_text().split() == ["test", "test-slow", "docs"]
    made = {path.name for path in (repository / "dist").iterdir()}
    assert made == {"small-1.2.0.tar.gz", "small-1.2.0-py3-none-any.whl"}
    assert git(repository, "tag", "--list").split() == ["v1.2.0"]
    assert "git push origin main v1.2.0" in done.stdout

    again = release(repository)
    assert again.returncode == 1
    assert "There is a tag v1.2.0 already" in again.stderr


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("CHANGELOG.md", "## [1.2.0] - 2", "## [1.2.0] - unreleased 2", "must begin with: ## [1.2.0] - 2"),
        ("CITATION.cff", "1.2.0", "1.1.0", "CITATION.cff has another version than pyproject.toml, 1.2.0."),
        ("pyproject.toml", ADDRESS, "https://example.org", "and [project.urls] says https://example.org"),
    ],
)
def test_what_does_not_agree_is_named_and_nothing_is_made(repository, name, old, new, sentence):
    path = repository / name
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    git(repository, "checkout", "-b", "other")
    refused = release(repository)
    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert "The branch is other, not main." in refused.stderr
    assert f"Files differ from what is committed:\n M {name}" in refused.stderr.replace("\nM ", "\n M ")
    assert not (repository / "dist").exists() and not (repository / "made").exists()
    assert git(repository, "tag", "--list") == ""
