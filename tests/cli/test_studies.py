"""`hypermnesia analyze` for analyses of many runs, with real ones on few tasks and iterations."""

import csv
import json
import re
import shutil

import pytest

SMALL = ["tasks.num_tasks=2", "network.hidden=[16]", "training.iterations=10", "device=cpu"]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def lines(path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


@pytest.mark.slow
def test_compression_sets_hypernetworks_beside_standard_networks_of_their_size(call, tmp_path):
    small = [*SMALL, "learner.hidden=[10]", "learner.embedding_dim=4", "learner.chunk_embedding_dim=2"]
    arguments = ["analyze", "compression", "split-digits", *small, "--ratios", "0.01,1", "--jobs", 2]
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith("left out: compression 0.01 cannot be met: with these widths the smallest ratio is ")
    out_dir = tmp_path / "runs" / "compression-split-digits"
    hnet, standard = (
        json.loads((out_dir / f"{name}-1-seed0" / "summary.json").read_text()) for name in ("hnet", "separate")
    )
    (found,) = lines(out_dir / "compression.csv")
    # What is drawn is what was measured, of one target network: 64-16-2.
    assert float(found["ratio"]) == pytest.approx(hnet["compression"])
    assert int(found["target_num_weights"]) == 65 * 16 + 17 * 2
    assert int(found["num_weights"]) == hnet["num_weights"]
    assert float(found["right_after_percent"]) == pytest.approx(100 * hnet["learning_accuracy"])
    assert float(found["at_end_percent"]) == pytest.approx(100 * hnet["average_accuracy"])
    assert float(found["standard_percent"]) == pytest.approx(100 * standard["average_accuracy"])
    # Two networks of one hidden layer have 67 h + 2 weights each; no other width comes nearer.
    width = int(found["standard_hidden"])
    assert int(found["standard_num_weights"]) == standard["num_weights"] == 2 * (67 * width + 2)
    assert abs(standard["num_weights"] - hnet["num_weights"]) <= 67
    assert {path.suffix for path in out_dir.iterdir() if path.is_file()} == {".md", ".csv", ".svg", ".png"}
    assert "Left out: compression 0.01 cannot be met" in (out_dir / "compression.md").read_text()

    # An analysis that was killed half-way goes on, and finds what an uninterrupted one does.
    shutil.rmtree(out_dir / "separate-1-seed0")
    whole = {name: (out_dir / f"compression.{name}").read_bytes() for name in ("csv", "svg")}
    code, out, err = call(*arguments)
    assert re.findall(r"^(\S+-seed0): (reused|started)", out, re.MULTILINE) == [
        ("hnet-1-seed0", "reused"),
        ("separate-1-seed0", "started"),
    ]
    assert {name: (out_dir / f"compression.{name}").read_bytes() for name in whole} == whole


@pytest.mark.slow
def test_strength_sets_both_regularizers_side_by_side(call, tmp_path):
    out_dir = tmp_path / "runs" / "strength-split-digits"
    (out_dir / "online-ewc-1e+06-seed0").mkdir(parents=True)
    (out_dir / "online-ewc-1e+06-seed0" / "thesis.txt").touch()
    arguments = ["analyze", "strength", "split-digits", *SMALL, "--betas", "1e-1", "--lambdas", "1e6,10"]
    code, out, err = call(*arguments)
    assert code == 1
    assert "1 of 3 runs failed" in err and "online-ewc-1e+06-seed0" in err
    hnet, weak, strong = lines(out_dir / "strength.csv")
    assert (hnet["setting"], hnet["strength"]) == ("learner.beta", "0.1")
    assert (weak["setting"], weak["strength"], strong["strength"]) == ("learner.strength", "10.0", "1000000.0")
    assert (strong["at_end_percent"], strong["seeds"]) == ("", "0")
    for found, name in ((hnet, "hnet-0.1"), (weak, "online-ewc-10")):
        summary = json.loads((out_dir / f"{name}-seed0" / "summary.json").read_text())
        assert float(found["at_end_percent"]) == pytest.approx(100 * summary["average_accuracy"])
        assert float(found["right_after_percent"]) == pytest.approx(100 * summary["learning_accuracy"])
    assert "HNET: 1 of 1 strengths come within one point of its best at the end: 0.1." in out
    assert b"<svg" in (out_dir / "strength.svg").read_bytes()


@pytest.mark.slow
def test_start_sets_the_first_task_side_by_side_by_what_it_starts_from(call, tmp_path):
    small = [each for each in SMALL if not each.startswith("tasks.")]
    arguments = ["analyze", "start", "split-digits", *small, "--losses", "0.6", "--jobs", 2]
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    out_dir = tmp_path / "runs" / "start-split-digits"
    found = lines(out_dir / "start.csv")
    assert [row["start"] for row in found] == ["fine-tuning", "zero", "module", "module-features"]
    for row in found:
        run = out_dir / f"{row['start']}-seed0"
        summary = json.loads((run / "summary.json").read_text())
        assert len(summary["tasks"]) == 1
        assert float(row["accuracy_percent"]) == pytest.approx(100 * summary["average_accuracy"])
        records = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        losses = [record["loss"] for record in records if record["kind"] == "step"]
        assert len(losses) == 10
        low = [number for number in range(1, 11) if sum(losses[:number]) / number <= 0.6]
        assert row["iterations_to_0.6"] == (f"{low[0]}.0" if low else "")
    assert "Layers: 1: 1.weight, 16 × 64; 2: 3.weight, 2 × 16." in out
    assert b"<svg" in (out_dir / "start.svg").read_bytes()


def test_a_long_sequence_is_analyzed_where_the_run_is(call, tmp_path):
    run = tmp_path / "run"
    call("run", "split-digits", *SMALL, "--out", run, "--quiet")
    code, out, err = call("analyze", "long-sequence", run)
    assert (code, err) == (0, "")
    assert "right after learning" in out and "time of a step" in out
    summary = json.loads((run / "summary.json").read_text())
    found = json.loads((run / "analyses" / "long-sequence.json").read_text())
    assert found["at_end"] == summary["accuracy"][-1]
    assert sum(found["right_after"]) / 2 == pytest.approx(summary["learning_accuracy"])
    # The run can still be replaced: what an analysis writes is nobody else's.
    code, _, err = call("run", "split-digits", *SMALL, "--out", run, "--quiet", "--overwrite")
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["compression", "split-digit"], "no preset 'split-digit'. Did you mean 'split-digits'"),
        (["compression", "split-digits", "--ratios", "1,much"], "--ratios: 'much' is no number above 0"),
        (["compression", "split-digits", "--ratios", "1,-2"], "--ratios: '-2' is no number above 0"),
        (["compression", "split-digits", "--ratios", ","], "--ratios: there is no number"),
        (["compression", "split-digits", "--ratios", "0.01"], "ratios: compression 0.01 cannot be met"),
        (
            ["compression", "split-digits", "learner.chunk_size=9"],
            "the size differs from run to run; leave it out and choose ratios",
        ),
        (["compression", "split-digits", "network.hidden=[]"], "no hidden layer of an mlp that could be made smaller"),
        (
            ["strength", "split-digits", "learner.beta=1"],
            "the strength differs from run to run; leave it out and choose b",
        ),
        (["strength", "split-digits", "learner.strength=1"], "leave it out and choose lambdas"),
        (["strength", "split-digits", "--lambdas", "0,1"], "--lambdas: '0' is no number above 0"),
        (["strength", "split-digits", "--betas", "inf"], "--betas: 'inf' is no number above 0"),
        (["strength", "split-digits", "learner.decay=1"], "learner.decay: unknown setting"),
        (["strength", "split-digits", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["start", "split-digits", "learner.start=zero"], "learner.start: the start differs from run to run; leave it"),
        (["start", "split-digits", "tasks.num_tasks=2"], "tasks.num_tasks: only the first task is learned; leave it"),
        (["start", "split-digits", "recording.log_every=5"], "recording.log_every: every iteration is recorded"),
        (
            ["start", "split-digits", "learner.initialization=hyperfan-in"],
            "initialization: has an effect only where start is zero",
        ),
        (["start", "split-digits", "--losses", "0"], "--losses: '0' is no number above 0"),
        (["long-sequence", "nowhere"], "nowhere holds no run"),
        (["compresion", "split-digits"], "No such command"),
    ],
)
def test_wrong_input_ends_with_2_and_a_sentence(call, tmp_path, arguments, message):
    code, out, err = call("analyze", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


def test_where_nobody_says_the_task_there_is_no_standard_network(call, tmp_path, monkeypatch):
    monkeypatch.setattr("hypermnesia.cli.analyze.carry_out_and_show", lambda runs, *_: print(*runs))
    small = [*SMALL, "learner.hidden=[10]", "learner.embedding_dim=4", "learner.chunk_embedding_dim=2"]
    code, out, _ = call("analyze", "compression", "split-digits", "scenario=class", *small, "--ratios", "1,2,1.0")
    assert code == 0
    assert "left out: separate answers only where the scenario is task, not class" in out
    assert re.findall(r"group='(\S+)'", out) == ["hnet-1", "hnet-2"]


@pytest.mark.slow
def test_toy_regression_draws_what_each_method_remembers(call, tmp_path):
    arguments = ["analyze", "toy-regression", "training.iterations=20", "device=cpu", "--jobs", 2]
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    out_dir = tmp_path / "runs" / "analyze-toy-regression"
    found = lines(out_dir / "toy-regression.csv")
    assert [row["method"] for row in found][:3] == ["hnet", "hnet-likelihood", "separate"]
    for row in found:
        summary = json.loads((out_dir / f"{row['method']}-seed0" / "summary.json").read_text())
        assert summary["scenario"] == row["scenario"]
        assert [float(row[f"error_{number}"]) for number in (1, 2, 3)] == pytest.approx(summary["error"][-1])
        assert float(row["average_error"]) == pytest.approx(summary["average_error"])
    # With other iterations than the published ones, what was published is no measure.
    assert "published" not in out
    drawn = (out_dir / "toy-regression.svg").read_text()
    assert drawn.count("what is answered") >= 3 * len(found)

    # What is drawn is what the learner of the run answers: its error is that of the run.
    code, out, _ = call(*arguments)
    assert (code, out.count(": reused")) == (0, len(found))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["split-digits"], "split-digits has no functions to learn (tasks.kind=polynomials), as toy-regression has."),
        (["toy-regression", "scenario=task"], "scenario differs from method to method here; leave it out."),
    ],
)
def test_toy_regression_needs_functions_and_chooses_scenarios(call, arguments, message):
    assert call("analyze", "toy-regression", *arguments) == (2, "", f"Error: {message}\n")


@pytest.mark.parametrize("study", ["compression", "strength", "start"])
def test_studies_of_accuracies_need_classes(call, study):
    code, _, err = call("analyze", study, "toy-regression")
    assert (code, err) == (
        2,
        "Error: toy-regression is a regression; accuracies are of classes, as in split-digits.\n",
    )
