"""What README and examples show runs as it stands."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_library_in_ten_lines_runs(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["answer"].task.unique().tolist() == [0]
    assert (tmp_path / "digits.safetensors").is_file()


ON_DIGITS = [ROOT / "examples" / f"{name}.py" for name in ("own_network", "pretrained_network")]


@pytest.mark.parametrize("example", ON_DIGITS, ids=lambda path: path.name)
def test_examples_run_and_remember(example, capsys):
    runpy.run_path(str(example), run_name="__main__")
    accuracies = [float(number) for number in re.findall(r"([\d.]+) %", capsys.readouterr().out)]
    assert len(accuracies) > 3
    assert min(accuracies) > 90
