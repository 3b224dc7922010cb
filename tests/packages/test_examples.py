"""The examples run as they are, and every task ends about as well as by a network of its own."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
LINE = re.compile(r"(.+): ([\d.]+) % at the end, ([\d.]+) % by")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]


@pytest.mark.parametrize(
    ("name", "tasks", "chance"),
    [
        ("timm_images", 5, 50),
        ("transformer", 3, 50),
        ("lora", 3, 50),
        ("series", 3, 50),
        ("graphs", 3, 50),
        ("several_labels", 3, 50),
        ("segmentation", 3, 0),
        ("fifty_tasks", 51, 50),
    ],
)
def test_an_example_learns_what_networks_of_their_own_learn(name, tasks, chance, capsys):
    assert len((EXAMPLES / f"{name}.py").read_text("utf-8").splitlines()) < 60
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    found = [(float(ours), float(alone)) for _, ours, alone in LINE.findall(capsys.readouterr().out)]
    assert len(found) == tasks
    for ours, alone in found:
        assert min(ours, alone) > chance + 20
        assert ours > alone - 10
