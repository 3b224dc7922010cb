"""The blocks of a guide run as one program, and print what stands below them.

Blocks of `python` and of `sh` are run, unless a comment before them says why not. All others are shown only.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(
    r"(?P<not_run><!-- not run: [^\n]+ -->\n)?"
    r"^```(?P<language>python|sh)\n(?P<code>.*?)^```$"
    r"(?:\n\n```\n(?P<said>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"-?\d+(?:\.\d*)?")
# Blocks of the first two are files, which tests/test_extending.py and tests/test_wheel.py write and run; those of the
# third need a hub, for which tests/learners/test_hub.py has a stand-in.
TESTED_ELSEWHERE = {"extending.md", "from-pictures-to-production.md", "hub.md"}
GUIDES = {
    path.name: blocks
    for path in sorted(DOCS.glob("*.md"))
    if path.name not in TESTED_ELSEWHERE
    and (blocks := [block for block in BLOCK.finditer(path.read_text("utf-8")) if not block["not_run"]])
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_prints_what_it_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    names: dict[str, object] = {"__name__": "guide"}
    for block in GUIDES[name]:
        if block["language"] == "sh":
            done = subprocess.run(["bash", "-ec", block["code"]], capture_output=True, text=True)
            assert done.returncode == 0, f"{block['code']}\n{done.stdout}\n{done.stderr}"
            continue
        exec(compile(block["code"], name, "exec"), names)
        printed = capsys.readouterr().out.replace(",", "")
        said = (block["said"] or "").replace(",", "")
        assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", said).split()
        # Other processors round otherwise, and a few steps later some answers differ.
        wanted = [float(number) for number in NUMBER.findall(said)]
        assert [float(number) for number in NUMBER.findall(printed)] == pytest.approx(wanted, rel=0.1, abs=0.15)


def test_guides_are_found():
    assert {"deployment.md", "own-module.md", "pretrained.md", "start.md", "training.md", "unknown-task.md"} <= {
        *GUIDES
    }
