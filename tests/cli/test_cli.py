import json
import re
import shlex
import signal
import statistics
import subprocess
import sys
import time

import pytest
import torch

from hypermnesia.experiments.settings import sources
from hypermnesia.files import FORMAT
from hypermnesia.learners import METHODS
from tests.cli.conftest import signal_when_a_task_is_written_down
from tests.runs import load

HELP = """
import sys
from hypermnesia import cli
try:
    cli.main(["--help"])
finally:
    slow = {"torch", "numpy", "pydantic", "altair"} & sys.modules.keys()
    assert not slow, f"imported for --help: {slow}"
"""


def test_help_needs_no_torch_and_takes_nearer_to_nothing_than_to_importing_it():
    """Measured in turns, so that whatever else the machine does slows all of them down alike."""
    programs = {"nothing": "pass", "help": HELP, "torch": "import torch"}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(5):
        for name, code in programs.items():
            begin = time.perf_counter()
            ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            taken[name].append(time.perf_counter() - begin)
            assert ended.returncode == 0, ended.stderr
            assert ("Learn a sequence of tasks" in ended.stdout) == (name == "help")
    nothing, helped, torch_ = (statistics.median(taken[name]) for name in programs)
    assert helped < (nothing + torch_) / 2, taken


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["presets"], ["--version"]])
def test_what_explains_ends_well(call, arguments):
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    assert out


def test_presets_are_listed_with_their_methods_and_the_default_first(call):
    code, out, err = call("presets")
    assert (code, err) == (0, "")
    listed, _, every = out.partition("\n\n")
    lines = listed.splitlines()
    assert [line.split()[0] for line in lines[::2]] == sources.preset_names()
    assert [line.split()[0] for line in lines[::2]][:2] == ["split-digits", "permuted-digits"]
    for line, preset in zip(lines[1::2], sources.preset_names(), strict=True):
        assert line.split("--method ")[1].split(", ") == list(sources.read_preset(preset)["methods"])
    assert " ".join(every.split()).endswith(": " + ", ".join(METHODS))


@pytest.mark.parametrize("command", ["run", "show", "compare", "tune"])
def test_help_names_every_method(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0
    listed = out.partition("Methods:\n")[2].strip().splitlines()
    assert [line.split()[0] for line in listed] == list(METHODS)
    assert [line.split(maxsplit=1)[1] for line in listed] == [method.label for method in METHODS.values()]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_named_by_an_option_or_by_its_setting(call, method):
    shown = call("show", "split-mnist", "--method", method)
    assert shown[0] == 0
    assert shown == call("show", "split-mnist", f"learner.method={method}")


def test_what_is_shown_can_be_run(call, tmp_path):
    code, out, _ = call("show", "permuted-mnist-10", "learner.beta=0.5")
    assert code == 0
    (tmp_path / "mine.yaml").write_text(out)
    assert load(str(tmp_path / "mine.yaml")) == load("permuted-mnist-10", ["learner.beta=0.5"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["split-digit"], "Did you mean 'split-digits'"),
        (["missing.yaml"], "missing.yaml cannot be read"),
        (["learner.betta=1"], "learner.betta: unknown setting. Did you mean 'beta'"),
        (["training.iterations=many"], "training.iterations: should be a valid integer"),
        (["--method", "ewcc"], "There is no method 'ewcc'. Did you mean 'ewc'? Methods: hnet, "),
        (["--method", "ewc", "learner.decay=1"], "learner: decay must be null for ewc, not 1.0; leave it out"),
        (["--method", "separate", "scenario=class"], "separate answers only where the scenario is task"),
        (["--seed", "-1"], "seed: should be greater than or equal to 0"),
        (["--seed", "x"], "Invalid value for '--seed'"),
        (["--sed", "1"], "--seed"),
        (["--device", "cuda:99"], "there is no device 'cuda:99' here"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--resume", "--out", "nowhere"], "nowhere holds no run"),
        (["--out", "/dev/null"], "/dev/null exists and is not a run directory"),
        (["--out", "/dev/null/run"], "/dev/null/run cannot be made"),
        (["split-mnist", "--data", "/dev/null"], "/dev/null"),
        (["tasks.num_tasks=6"], "suffice for 1 to 5 such tasks"),
        (["tasks.validation=100000"], "set aside"),
    ],
)
def test_wrong_input_ends_with_2_and_a_sentence(call, tmp_path, arguments, message):
    code, out, err = call("run", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_run_by_another_method_is_called_after_it(call, tmp_path):
    small = ["network.hidden=[8]", "tasks.num_tasks=2", "training.iterations=2", "--device", "cpu", "--quiet"]
    assert call("run", "split-digits", "--method", "si", *small)[0] == 0
    run = tmp_path / "runs" / "split-digits-si-seed0"
    assert load(str(run / "config.yaml")).learner.method == "si"
    code, _, err = call("run", "--resume", "--out", run)
    assert (code, err) == (0, "")


def test_a_missing_gpu_is_told(call, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # also where there is one
    code, _, err = call("run", "--device", "cuda")
    assert code == 2
    assert "there is no device 'cuda' here, only " in err


def test_a_truncated_data_file_is_told(call, tmp_path):
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    for split in ("train", "t10k"):
        for part in ("images-idx3", "labels-idx1"):
            (tmp_path / "data" / "mnist" / f"{split}-{part}-ubyte").write_bytes(b"\x00\x00\x08\x03\x00")
    code, _, err = call("run", "split-mnist", "--data", tmp_path / "data")
    assert code == 2
    assert "ubyte" in err
    assert "Traceback" not in err


def test_an_unreachable_network_is_told(call, tmp_path, monkeypatch):
    monkeypatch.delenv("HYPERMNESIA_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for proxy in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    code, _, err = call("run", "split-mnist")
    assert code == 2
    assert "--data" in err or "HYPERMNESIA_DATA" in err
    assert "Traceback" not in err


def test_a_run_prints_plain_lines_and_writes_its_directory(call, tiny, tmp_path):
    code, out, err = call(*tiny)
    assert (code, err) == (0, "")
    assert "task 2/2 (digits 2/3): loss" in out
    for line in ("after task", "average accuracy", "forgetting", "backward transfer", "compression ratio", "time"):
        assert line in out
    assert "forward transfer" not in out
    assert all(character == "\n" or character.isprintable() for character in out)
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {
        *("config.yaml", "environment.json", "metrics.jsonl", "accuracy.csv", "accuracy.png", "timing.csv"),
        *("summary.json", "learner.safetensors", "checkpoint"),
    }
    assert (tmp_path / "run" / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_an_existing_run_is_kept_resumed_or_overwritten_as_asked(call, tiny, tmp_path):
    assert call(*tiny)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    code, _, err = call(*tiny)
    assert code == 2
    assert "already holds a run: continue it (resume), replace it (overwrite)" in err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before

    code, _, err = call(*tiny, "learner.beta=3", "--resume")
    assert code == 2
    assert "learner.beta is 3.0, was 10.0" in err
    assert call(*tiny, "--resume")[0] == 0
    assert call("run", "--resume", "--out", tmp_path / "run")[0] == 0
    assert call(*tiny, "learner.beta=3", "--overwrite")[0] == 0
    assert "beta: 3.0" in (tmp_path / "run" / "config.yaml").read_text()


def test_a_run_of_another_format_is_neither_resumed_nor_read(call, tiny, tmp_path):
    run = tmp_path / "run"
    assert call(*tiny)[0] == 0
    environments = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps([{k: v for k, v in environments[0].items() if k != "format"}]))
    versions = f"(format 1, here {FORMAT})"
    told = f"Error: {run} was made by another version of hypermnesia {versions}: it can be neither resumed nor"
    for arguments in (
        [*tiny, "--resume"],
        ["run", "--resume", "--out", run],
        ["analyze", "interpolation", run],
        ["analyze", "long-sequence", run],
    ):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith(told) and len(err.splitlines()) == 1
    code, _, err = call("report", run)
    assert code == 2
    assert err.splitlines() == [err.splitlines()[0], "There is nothing to show; name a run directory."]
    assert err.startswith(told)
    assert call(*tiny[:-1], tmp_path / "other")[0] == 0
    code, out, err = call("report", run, tmp_path / "other")
    assert (code, out) == (0, "written to report.html\n")
    assert err.startswith(told.removeprefix("Error: ")) and err.endswith("It is left out.\n")
    assert call(*tiny, "--overwrite")[0] == 0


def test_json_is_one_object_on_stdout_and_nothing_else(call, tiny, tmp_path):
    code, out, err = call(*tiny, "--json")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "task 1/2" in err
    code, out, err = call(*tiny, "--json", "--quiet", "--overwrite")
    assert code == 0
    assert json.loads(out)["average_accuracy"] > 0
    assert err == ""


def test_quiet_prints_the_figures_only(call, tiny):
    code, out, _ = call(*tiny, "--quiet")
    assert code == 0
    assert "task 1/2" not in out
    assert "average accuracy" in out


def test_the_default_directory_is_called_after_name_and_seed(call, tiny, tmp_path):
    assert call(*tiny[:-2], "--seed", 5, "--quiet")[0] == 0
    assert (tmp_path / "runs" / "split-digits-seed5" / "summary.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_run_and_tells_how_to_go_on(call, tiny, tmp_path, monkeypatch, number):
    run, whole = tmp_path / "run", tmp_path / "whole"
    with monkeypatch.context() as patched:
        signal_when_a_task_is_written_down(patched, number)
        code, out, err = call(*tiny)
    assert code == 128 + number
    assert "task 1/2" in out and not (run / "summary.json").exists()
    program, *again = shlex.split(err.partition("Stopped, and saved. Go on with: ")[2])
    assert program == "hypermnesia"
    code, out, err = call(*again)
    assert (code, err) == (0, "")
    assert re.search(r"Resumed after 1 of 2 tasks, at step \d+, (?:[5-9]\d|100)\.\d % of all\.", out)
    assert call(*tiny[:-1], whole)[0] == 0
    for name in ("metrics.jsonl", "accuracy.csv", "config.yaml"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def test_a_loss_that_is_no_number_ends_with_1_and_a_sentence(call, tiny):
    code, _, err = call(*tiny, "training.learning_rate=1e30")
    assert code == 1
    assert "training.learning_rate" in err
    assert "What was measured before is in" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--data", "."], "--data: nothing is read from files here"),
        (["run", "toy-regression", "--data", "."], "--data: nothing is read from files here"),
        (["compare", "split-digits", "--methods", "ewc", "--jobs", 2], "--jobs 2: there is one to make"),
        (["tune", "split-digits", "--trials", 1, "--jobs", 2], "--jobs 2: there is one to make"),
        (["run", "seed=3", "--seed", 4], "--seed 4 and seed=3: give one of them"),
        (["run", "learner.method=ewc", "--method", "si"], "ewc and si are named"),
        (["run", "seed=3", "seed=4"], "'seed=4' replaces 'seed'"),
        (["run", "training.momentum=0.9"], "training.momentum: has an effect only where optimizer is sgd or rmsprop"),
    ],
)
def test_what_has_no_effect_is_refused(call, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    code, _, err = call(*arguments)
    assert code == 2
    assert sentence in err
