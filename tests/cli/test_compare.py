"""`hypermnesia compare` on few tasks and iterations, with real runs."""

import csv
import json
import re

import pytest

SMALL = ["tasks.num_tasks=2", "network.hidden=[16]", "training.iterations=10", "device=cpu"]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "120")


def lines(path) -> dict[str, dict[str, str]]:
    return {line["method"]: line for line in csv.DictReader(path.open())}


@pytest.mark.slow
def test_methods_are_compared_and_a_failed_run_takes_no_other_along(call, tmp_path):
    out_dir = tmp_path / "runs" / "compare-split-digits-class"
    (out_dir / "si-seed1").mkdir(parents=True)
    (out_dir / "si-seed1" / "thesis.txt").touch()
    arguments = ["compare", "split-digits", "scenario=class", *SMALL, "--methods", "hnet,si", "--seeds", 2, "--jobs", 2]
    code, out, err = call(*arguments)
    assert code == 1
    assert all(character == "\n" or character.isprintable() for character in out)
    assert "1 of 4 runs failed; the table holds the others.\nsi-seed1:\n  exit code 2\n" in err
    assert "exists and is not a run directory" in err
    assert "Traceback" not in err
    summaries = {path.parent.name: json.loads(path.read_text()) for path in out_dir.glob("*/summary.json")}
    assert set(summaries) == {"hnet-seed0", "si-seed0", "hnet-seed1"}
    for name in summaries:
        assert f"{name}: started" in out
        assert f"{name}: finished in " in out
    assert "1 of 2" in out
    assert "All ran with tasks.num_tasks=2 network.hidden=[16] training.iterations=10.\n" in out
    written = lines(out_dir / "comparison.csv")
    assert list(written) == ["hnet", "si"]
    found = [summaries[f"hnet-seed{seed}"] for seed in range(2)]
    assert float(written["hnet"]["accuracy_percent"]) == pytest.approx(
        50 * sum(summary["scenario_accuracy"]["class"] for summary in found)
    )
    first, last = found[0]["memory_bytes"]
    assert float(written["hnet"]["memory_bytes_per_further_task"]) == last - first == 4 * 24
    assert (written["hnet"]["seeds"], written["si"]["seeds"]) == ("2", "1")
    written = {f"{name}.{ending}" for name in ("comparison", "by-task") for ending in ("md", "csv", "png", "svg")}
    assert {path.name for path in out_dir.iterdir() if path.is_file()} == written
    assert [line["task"] for line in csv.DictReader((out_dir / "by-task.csv").open())] == ["1", "2", "1", "2"]

    before = {path: path.stat().st_mtime_ns for path in out_dir.glob("*-seed*/**/*")}
    arguments = [*arguments, "--seeds", 1]
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    assert re.findall(r"^(\S+-seed\d): (\w+)", out, re.MULTILINE) == [("hnet-seed0", "reused"), ("si-seed0", "reused")]
    assert before.items() <= {path: path.stat().st_mtime_ns for path in out_dir.glob("*-seed*/**/*")}.items()
    assert lines(out_dir / "comparison.csv")["si"]["seeds"] == "1"

    tables = {path: path.read_bytes() for path in out_dir.iterdir() if path.is_file()}
    shorter = ["training.iterations=5" if each == "training.iterations=10" else each for each in arguments]
    code, out, err = call(*shorter)
    assert (code, out) == (2, "")
    assert "cannot be resumed with other settings: training.iterations is 5, was 10" in err
    assert {path: path.read_bytes() for path in out_dir.iterdir() if path.is_file()} == tables


def test_where_no_run_has_a_result_the_table_that_there_is_stays(call, tmp_path):
    (tmp_path / "compared" / "si-seed0").mkdir(parents=True)
    (tmp_path / "compared" / "si-seed0" / "thesis.txt").touch()
    table = tmp_path / "compared" / "comparison.csv"
    table.write_text("of before")
    code, out, err = call("compare", "split-digits", *SMALL, "--methods", "si", "--out", "compared")
    assert (code, "written to" in out, table.read_text()) == (1, False, "of before")
    assert "1 of 1 runs failed; no table is written." in err


def test_finished_runs_are_compared_without_being_carried_out(call, tmp_path):
    out_dir = tmp_path / "compared"
    for method in ("hnet", "fine-tuning"):
        run = ["run", "split-digits", "--method", method, "scenario=task", *SMALL, "--seed", 0, "--quiet"]
        assert call(*run, "--out", out_dir / f"{method}-seed0")[0] == 0
    arguments = ["scenario=task", *SMALL, "--methods", "hnet,fine-tuning", "--out", out_dir]
    code, out, err = call("compare", "split-digits", *arguments)
    assert (code, err) == (0, "")
    assert re.findall(r"^(\S+-seed\d): (\w+)", out, re.MULTILINE) == [
        ("hnet-seed0", "reused"),
        ("fine-tuning-seed0", "reused"),
    ]
    for method, line in lines(out_dir / "comparison.csv").items():
        summary = json.loads((out_dir / f"{method}-seed0" / "summary.json").read_text())
        assert float(line["accuracy_percent"]) == pytest.approx(100 * summary["average_accuracy"])
        assert float(line["num_weights"]) == summary["num_weights"]
    assert list(lines(out_dir / "comparison.csv")) == ["hnet", "fine-tuning"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["split-digit"], "no preset 'split-digit'. Did you mean 'split-digits'"),
        (["split-digits", "--methods", "hnet,ecw"], "methods: there is no method 'ecw'. Did you mean 'ewc'"),
        (
            ["split-digits", "scenario=class", "--methods", "hnet,separate"],
            "methods: separate answers only where the scenario is task, not class",
        ),
        (["split-digits", "training.iteration=3"], "training.iteration: unknown setting. Did you mean 'iterations'"),
        (["split-digits", "learner.beta=1", "--methods", "hnet,si"], "si: split-digits cannot be run.\nlearner.beta: "),
        (["split-digits", "seed=1"], "seed differs from run to run: leave it out, and choose seeds"),
        (
            ["split-digits", "learner.method=si"],
            "learner.method differs from run to run: leave it out, and choose methods",
        ),
        (["split-digits", "--seeds", "0"], "Invalid value for '--seeds'"),
        (["split-digits", "--out", "/dev/null/out"], "/dev/null/out cannot be made"),
        ([], "Missing argument"),
    ],
)
def test_wrong_input_ends_with_2_and_a_sentence(call, tmp_path, arguments, message):
    code, out, err = call("compare", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()
