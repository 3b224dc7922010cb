"""The blocks of a guide run as one program, and print what stands below them."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
NUMBER = re.compile(r"-?\d+(?:\.\d*)?")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]


@pytest.mark.parametrize("name", ["pretrained.md", "deployment.md", "inputs.md", "losses-and-metrics.md"])
def test_a_guide_prints_what_it_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / name).read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", text, flags=re.DOTALL)
    assert len(blocks) >= 3
    names: dict[str, object] = {"__name__": "guide"}
    for code, said in blocks:
        exec(compile(code, name, "exec"), names)
        printed = capsys.readouterr().out.replace(",", "")
        said = said.replace(",", "")
        assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", said).split()
        # Other processors round otherwise, and a few steps later some answers differ.
        wanted = [float(number) for number in NUMBER.findall(said)]
        assert [float(number) for number in NUMBER.findall(printed)] == pytest.approx(wanted, rel=0.1, abs=0.15)
