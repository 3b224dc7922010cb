"""Whether a change of the program has changed what runs compute: record before and after, and compare byte for byte.

    python tests/same_results.py record DIRECTORY --spelling old    # with the program as it was at commit 81285dd
    python tests/same_results.py record DIRECTORY                   # with the program as it is
    python tests/same_results.py compare DIRECTORY DIRECTORY

Holds while methods, presets and plans are rearranged; names that people type differ before and after, results do not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

SCENARIOS = ("task", "domain", "class")

# What presets were called, and the benchmark and method that they have become.
PRESETS = {
    "split-digits": ("split-digits", "hnet"),
    "split-digits-likelihood": ("split-digits", "hnet-likelihood"),
    "split-digits-replay": ("split-digits", "hnet-r"),
    "split-digits-task-inference": ("split-digits", "hnet-tir"),
    "permuted-digits": ("permuted-digits", "hnet"),
    "toy-regression": ("toy-regression", "hnet"),
    "toy-regression-ewc": ("toy-regression", "ewc"),
    "toy-regression-likelihood": ("toy-regression", "hnet-likelihood"),
    "split-mnist": ("split-mnist", "hnet"),
    "split-mnist-dgr": ("split-mnist", "dgr-distill"),
    "split-mnist-ewc": ("split-mnist", "online-ewc"),
    "split-mnist-likelihood": ("split-mnist", "hnet-likelihood"),
    "split-mnist-replay": ("split-mnist", "hnet-r"),
    "split-mnist-replay-gan": ("split-mnist", "hnet-r-gan"),
    "split-mnist-si": ("split-mnist", "si"),
    "split-mnist-task-inference": ("split-mnist", "hnet-tir"),
    "split-fashion-mnist": ("split-fashion-mnist", "hnet"),
    "permuted-mnist-10": ("permuted-mnist-10", "hnet"),
    "permuted-mnist-10-dgr": ("permuted-mnist-10", "dgr-distill"),
    "permuted-mnist-10-ewc": ("permuted-mnist-10", "online-ewc"),
    "permuted-mnist-10-replay": ("permuted-mnist-10", "hnet-r"),
    "permuted-mnist-10-si": ("permuted-mnist-10", "si"),
    "permuted-mnist-10-task-inference": ("permuted-mnist-10", "hnet-tir"),
    "permuted-mnist-100": ("permuted-mnist-100", "hnet"),
    "permuted-mnist-250": ("permuted-mnist-250", "hnet"),
}
METHODS = (
    *("hnet", "hnet-unprotected", "hnet-ewc", "hnet-si", "hnet-tir", "hnet-r", "hnet-likelihood"),
    *("fine-tuning", "joint", "from-scratch", "ewc", "online-ewc", "si", "lwf", "dgr", "dgr-distill", "er"),
)
SMALL = """
data: {name: digits}
tasks: {kind: split, num_tasks: 3}
network: {kind: mlp, hidden: [32]}
learner: {method: %s, embedding_dim: 4, chunk_embedding_dim: 4, hidden: [4], chunk_size: 300}
training: {iterations: 30}
threads: 1
"""
TABLE = """
source: somewhere
seeds: 20
methods: {hnet: NEW, hnet-unprotected: OTHER}
accuracy:
  digits:
    task: {hnet: [100, 0.01], hnet-unprotected: [90, 1]}
    class: {hnet: [100, 0.01], hnet-unprotected: [90, 1]}
runs:
  - {method: hnet, benchmark: digits, preset: small.yaml, settings: %s}
  - {method: hnet-unprotected, benchmark: digits, preset: small.yaml, separately: true%s}
"""
SETTINGS = {
    "old": ("[evaluation.every_scenario=true]", ", settings: [learner.beta=0]"),
    "new": ("{evaluation.every_scenario: true}", ""),
}


def record(directory: Path, spelling: str) -> None:
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    new = spelling == "new"
    (directory / "resolved.json").write_text(json.dumps(_resolved(new), indent=1, sort_keys=True))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "small.yaml").write_text(SMALL % ("hnet" if new else "hypernetwork"))
        (work / "toy.yaml").write_text(TABLE % SETTINGS[spelling])
        for preset, (benchmark, method) in PRESETS.items():
            if "mnist" in preset:
                continue
            for scenario in _scenarios(preset):
                name = [benchmark, "--method", method] if new else [preset]
                _call(work, "run", *name, f"scenario={scenario}", "--out", f"run-{preset}-{scenario}", "-q")
        for scenario in SCENARIOS:
            methods = [method for method in METHODS if method != "from-scratch" or scenario == "task"]
            settings = ["training.iterations=20", "tasks.num_tasks=3", f"scenario={scenario}"]
            chosen = ["--methods", ",".join(methods), "--seeds", "2"]
            _call(work, "compare", "split-digits", *settings, *chosen, "--out", f"compare-{scenario}")
        _call(work, "reproduce", "toy.yaml", "--seeds", "2", "--out", "reproduce")
        _call(work, "tune", "split-digits", "training.iterations=20", "--trials", "8", "--out", "tune")
        _call(work, "analyze", "toy-regression", "toy-regression", "training.iterations=50", "--out", "analyze")
        _keep(work, directory)


def _scenarios(preset: str) -> tuple[str, ...]:
    if preset == "toy-regression":
        return ("task",)
    return SCENARIOS[:2] if "toy" in preset else SCENARIOS


class _InThisProcess:
    """In the place of a process that carries out a run: starting Python anew for each would take most of the time."""

    def __init__(self, command: list[str]) -> None:
        self.returncode = _exit_code(command[command.index("run") :])

    def poll(self) -> int:
        return self.returncode

    def terminate(self) -> None:
        """It has ended."""

    kill = wait = terminate


_Process = subprocess.Popen


def _started(command: list[str], **options: object) -> object:
    return _InThisProcess(command) if command[1:4] == ["-m", "hypermnesia", "run"] else _Process(command, **options)


def _exit_code(arguments: list[str]) -> int:
    from hypermnesia import cli

    try:
        cli.main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def _call(work: Path, *arguments: str) -> None:
    print("hypermnesia", *arguments, flush=True)
    os.chdir(work)
    with mock.patch("subprocess.Popen", _started):
        if _exit_code(list(arguments)):
            sys.exit("failed")


def _keep(work: Path, directory: Path) -> None:
    for file in sorted(work.rglob("*")):
        place = directory / file.relative_to(work)
        if file.name in ("accuracy.csv", "error.csv", "metrics.jsonl"):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        elif file.name == "study.db":
            with sqlite3.connect(file) as study:
                trials = study.execute("SELECT trial_id, param_name, param_value FROM trial_params ORDER BY 1, 2")
                found = study.execute("SELECT trial_id, value FROM trial_values ORDER BY 1")
                lines = [repr(row) for row in (*trials, *found)]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.with_suffix(".txt").write_text("\n".join(lines))


def _resolved(new: bool) -> dict[str, object]:
    """Every preset in every scenario as data, without what it is called."""
    if new:
        from hypermnesia.experiments.settings.benchmark import load_experiment
    else:
        from hypermnesia.experiments.settings.config import load
    found = {}
    for preset, (benchmark, method) in PRESETS.items():
        for scenario in ("its own", *_scenarios(preset)):
            if new:
                changes = {} if scenario == "its own" else {"scenario": scenario}
                experiment = load_experiment(benchmark, changes, method=method)
            else:
                experiment = load(preset, [] if scenario == "its own" else [f"scenario={scenario}"])
            values = experiment.model_dump(mode="json")
            del values["name"], values["description"], values["learner"]["method"]
            found[f"{preset}, {scenario}"] = values
    return found


def compare(before: Path, after: Path) -> None:
    files = [{file.relative_to(place) for file in place.rglob("*") if file.is_file()} for place in (before, after)]
    different = sorted(map(str, files[0] ^ files[1]))
    different += [
        str(file) for file in files[0] & files[1] if (before / file).read_bytes() != (after / file).read_bytes()
    ]
    print(f"{len(files[0] | files[1])} files, {len(different)} differ", *sorted(different), sep="\n  ")
    sys.exit(bool(different))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("directory", type=Path)
    recording.add_argument("--spelling", choices=["old", "new"], default="new")
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "record":
        record(arguments.directory, arguments.spelling)
    else:
        compare(arguments.before, arguments.after)
