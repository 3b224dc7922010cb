"""The example with an ImageNet network, from small files in CIFAR-100's published layout."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from hypermnesia.data.cifar import CIFAR_100
from tests.cifar_files import write_cifar

EXAMPLE = Path(__file__).parents[2] / "examples" / "pretrained_cifar.py"
pytestmark = pytest.mark.slow


def test_every_method_learns_two_tasks_and_then_one_more(tmp_path, monkeypatch, capsys):
    write_cifar(tmp_path, CIFAR_100, per_file=8000, test=200)
    out = tmp_path / "results.json"

    def learn(tasks: int) -> tuple[dict, list[str]]:
        few = ["--tasks", str(tasks), "--examples", "40", "--iterations", "2"]
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--data", str(tmp_path), *few, "--out", str(out)])
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        return json.loads(out.read_text()), capsys.readouterr().out.splitlines()

    first, _ = learn(2)
    assert len(first) == 6
    # The classes differ in their colors.
    assert min(first["logistic-regression"]["after each task"][-1]) > 0.5
    one_network = 3_384_000
    assert one_network < first["hypernetwork, rate 0.003"]["weights"] < 1.5 * one_network
    assert first["separate, rate 0.001"]["weights"] > 1.9 * one_network
    found, lines = learn(3)
    for name, result in found.items():
        assert [len(row) for row in result["after each task"]] == [1, 2, 3]
        assert result["after each task"][:2] == first[name]["after each task"]
    assert sum(" s)" in line for line in lines) == 5  # One task more of each method, those before not again.
