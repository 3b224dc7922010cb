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


def test_every_method_learns_two_tasks_and_is_not_learned_again(tmp_path, monkeypatch, capsys):
    write_cifar(tmp_path, CIFAR_100, per_file=8000, test=200)
    out = tmp_path / "results.json"
    few = ["--tasks", "2", "--examples", "40", "--iterations", "2", "--rate", "1e-3"]
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--data", str(tmp_path), *few, "--out", str(out)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    found = json.loads(out.read_text())
    assert len(found) == 6
    for result in found.values():
        assert len(result["right after"]) == len(result["at the end"]) == 2
    # The classes differ in their colors.
    assert min(found["logistic-regression, rate 0.001"]["at the end"]) > 0.5
    one_network = 3_384_000
    assert found["hypernetwork, rate 0.001"]["weights"] < 0.5 * one_network
    assert found["separate, rate 0.001"]["weights"] > 1.9 * one_network
    capsys.readouterr()
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    again = capsys.readouterr().out.splitlines()
    assert len(again) == 6 and all("at the end" in line for line in again)
