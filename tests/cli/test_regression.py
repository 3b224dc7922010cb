"""Experiments whose tasks ask for numbers, through the command line."""

import json

import pytest


def test_a_run_measures_errors(call, tmp_path):
    code, out, err = call("run", "toy-regression", "training.iterations=30", "--out", tmp_path / "run")
    assert (code, err) == (0, "")
    assert "mean squared error on test data" in out and "average error" in out and "%" not in out
    assert {"error.csv", "error.png"} <= {path.name for path in (tmp_path / "run").iterdir()}
    assert not (tmp_path / "run" / "accuracy.csv").exists()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    first, last = summary["error"][0][0], summary["error"][-1]
    # More is worse: forgetting is how much errors have grown, and transfer back has the other sign.
    assert summary["measure"] == "error" and summary["average_error"] == pytest.approx(sum(last) / 3)
    assert summary["backward_transfer"] == pytest.approx(-(last[0] - first + last[1] - summary["error"][1][1]) / 2)
    assert summary["forgetting"] >= -summary["backward_transfer"] - 1e-12


@pytest.mark.slow
def test_methods_are_compared_and_tuned_by_their_errors(call, tmp_path):
    small = ["training.iterations=10", "device=cpu"]
    code, out, _ = call(
        "compare", "toy-regression", *small, "scenario=domain", "--methods", "joint", "--out", tmp_path / "compared"
    )
    assert code == 0 and "Test error after the last task" in out
    assert (tmp_path / "compared" / "comparison.csv").read_text().startswith("method,label,scenario,error,error_sem")
    code, out, err = call(
        "tune", "toy-regression", *small, "tasks.validation=20", "--trials", 3, "--out", tmp_path / "t"
    )
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("trial ") and "running" not in line]
    errors = [float(line.split("error ")[1].split(",")[0]) for line in lines]
    assert f"{min(errors):.4f}" in (tmp_path / "t" / "tuned.yaml").read_text()
