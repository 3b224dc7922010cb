"""The examples of docs/extending.md: each is written into a copy of the package, as it says, and run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text("utf-8")
EXAMPLES = {
    section.partition("\n")[0].strip(): re.findall(r"^```(\w*)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
}


def edit(package: Path, language: str, block: str) -> Path:
    """Write a file, or change one; returns which."""
    head, _, content = block.partition("\n")
    file = package / head.removeprefix("# ")
    if language == "python":
        assert not file.exists()
        file.write_text(content, "utf-8")
    else:
        lines = content.rstrip("\n").split("\n")
        old, new = ("\n".join(line[1:] for line in lines if not line.startswith(sign)) for sign in "+-")
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{file} has not exactly once:\n{old}"
        file.write_text(text.replace(old, new), "utf-8")
    return file


@pytest.mark.slow
@pytest.mark.parametrize("what", EXAMPLES)
def test_an_example_runs_and_takes_no_more_than_two_files(what, tmp_path):
    package = tmp_path / "hypermnesia"
    shutil.copytree(ROOT / "src" / "hypermnesia", package, ignore=shutil.ignore_patterns("__pycache__"))
    edited = {edit(package, language, block) for language, block in EXAMPLES[what] if language}
    assert len(edited) <= 2
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    commands = [line for language, block in EXAMPLES[what] if not language for line in block.splitlines()]
    assert commands
    for command in commands:
        arguments = shlex.split(command)[1:]
        done = subprocess.run(
            [sys.executable, "-m", "hypermnesia", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_there_is_an_example_for_each_thing_that_takes_code():
    assert {*EXAMPLES} == {"A method", "A data set", "A target network", "An analysis", "A chart"}
