"""`hypermnesia reproduce` on a small table, whose runs are real ones."""

import csv
import json
import os
import signal
import time

import pytest

from hypermnesia.data.cifar import CIFAR_10, CIFAR_100
from tests.cifar_files import write_cifar

TABLE = """
source: somewhere
seeds: 20
methods: {old: OLD, hnet: NEW, si: OTHER}
accuracy:
  digits:
    task: {old: [90, 0.5], hnet: [100, 0.01]}
    class: {old: [20, 0.5], hnet: [100, 0.01], si: [1, 0.01]}
variants: {weak: {label: weaker, note: a tenth of the strength.}}
runs:
  - {method: hnet, benchmark: digits, preset: small.yaml, settings: {evaluation.every_scenario: true}}
  - {method: si, benchmark: digits, preset: other.yaml, settings: {scenario: class}, scenarios: [class]}
  - {method: si, benchmark: digits, preset: other.yaml, settings: {scenario: class, learner.strength: 0.1},
     scenarios: [class], variant: weak}
"""
SMALL = """
data: {name: digits}
tasks: {kind: split, num_tasks: 2}
network: {kind: mlp, hidden: [16]}
learner: {method: hnet, embedding_dim: 4, chunk_embedding_dim: 4, hidden: [4], chunk_size: 300}
training: {iterations: 10}
device: cpu
threads: 1
"""


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "tiny.yaml").write_text(TABLE)
    for name in ("small.yaml", "other.yaml"):
        (tmp_path / name).write_text(SMALL)


def lines(path, variant="published") -> dict[tuple[str, str], dict[str, str]]:
    found = [line for line in csv.DictReader(path.open()) if line["variant"] == variant]
    return {(line["scenario"], line["method"]): line for line in found}


@pytest.mark.slow
def test_a_table_is_reproduced_and_finished_runs_are_reused(call, tmp_path):
    code, out, err = call("reproduce", "tiny.yaml", "--jobs", 2)
    assert (code, err) == (0, "")
    assert all(character == "\n" or character.isprintable() for character in out)
    out_dir = tmp_path / "runs" / "tiny"
    runs = {path.name: json.loads((path / "summary.json").read_text()) for path in out_dir.iterdir() if path.is_dir()}
    assert set(runs) == {"digits_hnet-seed0", "digits_si_class-seed0", "digits_si_weak_class-seed0"}
    for name in runs:
        assert f"{name}: started" in out
        assert f"{name}: finished in " in out
    written = lines(out_dir / "tiny.csv")
    found = runs["digits_hnet-seed0"]["scenario_accuracy"]
    for scenario in ("task", "class"):
        assert float(written[scenario, "hnet"]["ours"]) == pytest.approx(100 * found[scenario])
    assert written["task", "si"]["seeds"] == written["task", "old"]["seeds"] == "0"
    assert written["class", "hnet"]["below"] == "true"
    assert "↓" in out
    assert {path.name for path in out_dir.iterdir() if path.is_file()} == {"tiny.md", "tiny.tex", "tiny.csv"}

    before = {path: path.stat().st_mtime_ns for path in out_dir.glob("*/**/*")}
    code, out, err = call("reproduce", "tiny.yaml", "--only", "digits,class", "--methods", "hnet")
    assert (code, err) == (0, "")
    assert "digits_hnet-seed0: reused, class" in out
    assert "started" not in out
    assert before.items() <= {path: path.stat().st_mtime_ns for path in out_dir.glob("*/**/*")}.items()
    assert {scenario for scenario, _ in lines(out_dir / "tiny.csv")} == {"class"}


def test_finished_runs_are_tabulated_without_being_carried_out(call, tmp_path):
    si = ("other.yaml", "scenario=class", "--method", "si")
    for name, *settings in (
        ("digits_hnet-seed0", "small.yaml", "evaluation.every_scenario=true"),
        ("digits_si_class-seed0", *si),
        ("digits_si_weak_class-seed0", *si, "learner.strength=0.1"),
    ):
        assert call("run", *settings, "--seed", 0, "--quiet", "--out", tmp_path / "out" / name)[0] == 0
    code, out, err = call("reproduce", "tiny.yaml", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert out.count(": reused") == 3 and "started" not in out
    assert "Ours, weaker: a tenth of the strength." in out
    published = lines(tmp_path / "out" / "tiny.csv")
    weak = lines(tmp_path / "out" / "tiny.csv", "weak")
    for name, written, method, scenario in (
        ("digits_hnet-seed0", published, "hnet", "task"),
        ("digits_hnet-seed0", published, "hnet", "class"),
        ("digits_si_class-seed0", published, "si", "class"),
        ("digits_si_weak_class-seed0", weak, "si", "class"),
    ):
        found = json.loads((tmp_path / "out" / name / "summary.json").read_text())["scenario_accuracy"]
        assert float(written[scenario, method]["ours"]) == pytest.approx(100 * found[scenario])
    assert published["class", "hnet"]["below"] == "true"

    code, out, err = call("reproduce", "tiny.yaml", "--variants", "published", "--out", tmp_path / "out")
    assert (code, err, out.count(": reused")) == (0, "", 2)
    assert "weak" not in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("benchmark", "methods", "variants", "runs"),
    [
        ("cifar-zenkenet", "hnet,from-scratch,fine-tuning", "published,importance,hundredth", 6),
        ("cifar-resnet", "hnet", "module", 1),
        ("split-cifar-100", "hnet,der-plus-plus", "published", 3),
    ],
)
def test_cifar_from_small_files_in_the_published_layout(call, tmp_path, benchmark, methods, variants, runs):
    write_cifar(tmp_path / "data", CIFAR_10, per_file=100)
    write_cifar(tmp_path / "data", CIFAR_100, per_file=2000, test=200)
    few = ["training.epochs=null", "training.iterations=2", "training.batch_size=8"]
    few += [] if benchmark == "cifar-zenkenet" else ["network.depth=8"]
    part = ("--only", benchmark, "--methods", methods, "--variants", variants)
    out_dir = tmp_path / "out"
    jobs = ("--jobs", 2) if runs > 1 else ()
    code, out, err = call("reproduce", "cifar", *few, *part, "--data", tmp_path / "data", *jobs, "--out", out_dir)
    assert code == 0
    assert all(line.startswith("Note: ") for line in err.splitlines())
    assert out.count(": finished in ") == len(list(out_dir.glob("*/summary.json"))) == runs
    written = {path.name for path in out_dir.iterdir() if path.is_file()}
    by_task = {f"{benchmark}.{ending}" for ending in ("md", "csv", "svg", "png")}
    if benchmark.startswith("split"):
        by_task = set()
    assert written == {"cifar.md", "cifar.tex", "cifar.csv"} | by_task
    if by_task:
        lines = list(csv.DictReader((out_dir / f"{benchmark}.csv").open()))
        assert len(lines) == 6 * runs
        assert {line["name"] for line in lines if line["task"] == "1"} == {"cifar-10 airplane/…/truck"}
    if methods.startswith("hnet,from-scratch"):
        assert "HNET, transfer" in out
        assert "HNET, as a difference, 1 % of the examples, transfer" in out
        assert "fine-tuning, transfer" not in out  # of standard networks, separate ones would tell


@pytest.mark.slow
def test_other_settings_are_told_and_never_mixed_with_the_published_ones(call, tmp_path):
    arguments = ["reproduce", "tiny.yaml", "--methods", "si", "--variants", "published", "--out", tmp_path / "out"]
    code, out, _ = call(*arguments, "training.iterations=5")
    assert code == 0
    assert out.startswith("Not the published settings: training.iterations=5\n")
    assert "ours ran with training.iterations=5" in (tmp_path / "out" / "tiny.md").read_text()
    tables = {path: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert "cannot be resumed with other settings: training.iterations is 10, was 5" in err
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()} == tables


@pytest.mark.slow
def test_a_failed_run_is_reported_after_the_table_with_the_others(call, tmp_path):
    (tmp_path / "out" / "digits_si_class-seed0").mkdir(parents=True)
    (tmp_path / "out" / "digits_si_class-seed0" / "thesis.txt").touch()
    code, out, err = call("reproduce", "tiny.yaml", "--variants", "published", "--out", tmp_path / "out")
    assert code == 1
    assert "digits_si_class-seed0: failed" in out
    assert "1 of 2 runs failed; the table holds the others.\ndigits_si_class-seed0:\n  exit code 2\n" in err
    assert "exists and is not a run directory" in err
    assert "Traceback" not in err
    assert lines(tmp_path / "out" / "tiny.csv")["class", "hnet"]["seeds"] == "1"


@pytest.mark.slow
def test_ctrl_c_saves_the_runs_and_tabulates_what_is_finished(call, start, tmp_path):
    arguments = ["reproduce", "tiny.yaml", "--out", tmp_path / "out"]
    assert call(*arguments, "--methods", "si")[0] == 0
    (tmp_path / "small.yaml").write_text(SMALL.replace("iterations: 10", "iterations: 100000"))
    process = start(*arguments, start_new_session=True)
    metrics = tmp_path / "out" / "digits_hnet-seed0" / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "digits_hnet-seed0: interrupted" in out
    assert lines(tmp_path / "out" / "tiny.csv")["class", "si"]["seeds"] == "1"
    assert lines(tmp_path / "out" / "tiny.csv")["class", "hnet"]["seeds"] == "0"
    assert err == "Stopped, and saved. The same command goes on.\n"
    assert list((tmp_path / "out" / "digits_hnet-seed0" / "checkpoint").glob("*.safetensors"))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["table-2"], "no table 'table-2'. Did you mean 'table-1'? Tables: cifar, table-1"),
        (["missing.yaml"], "missing.yaml cannot be read"),
        (["tiny.yaml", "--only", "digits,clas"], "no benchmark or scenario 'clas'. Did you mean 'class'"),
        (["tiny.yaml", "--methods", "hnett"], "no method 'hnett'. Did you mean 'hnet'"),
        (["tiny.yaml", "--methods", "old"], "'old' has no run of ours. Allowed: hnet, si"),
        (["tiny.yaml", "--variants", "waek"], "no run of ours is 'waek'. Did you mean 'weak'? Allowed: published"),
        (["tiny.yaml", "--seeds", "0"], "Invalid value for '--seeds'"),
        (["tiny.yaml", "--jobs", "x"], "Invalid value for '--jobs'"),
        (["tiny.yaml", "learner.betta=1"], "learner.betta: unknown setting. Did you mean 'beta'"),
        (["tiny.yaml", "learner.strength=1"], "decides on learner.strength: leave it out, and choose variants"),
        (["tiny.yaml", "seed=1"], "the table decides on seed: leave it out, and choose seeds"),
        (["tiny.yaml", "--out", "/dev/null/out"], "/dev/null/out cannot be made"),
        ([], "Missing argument"),
    ],
)
def test_wrong_input_ends_with_2_and_a_sentence(call, tmp_path, arguments, message):
    code, out, err = call("reproduce", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()
