"""Measure speed and memory and print the tables: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.answers import PRESETS as ANSWERED
from benchmarks.answers import answer_times
from benchmarks.contenders import CONTENDERS, hypnettorch_has, hypnettorch_memory
from benchmarks.inference import inference_times
from benchmarks.memory import peak
from benchmarks.planning import planning_times
from benchmarks.replay import replay_step_times
from benchmarks.report import (
    PRESETS,
    REMEMBERED,
    Results,
    aims_table,
    answers_table,
    inference_table,
    memory_table,
    planning_table,
    replay_table,
    startup_table,
    step_time_table,
)
from benchmarks.startup import startup
from benchmarks.timing import Sample, Steps, in_turns, repeated, waiting
from benchmarks.workload import Workload
from hypermnesia.training import resolve_device
from hypermnesia.training.device import keep_freed_memory


def step_times(
    preset: str, device: torch.device, rounds: int, seconds: float, most: Mapping[str, int]
) -> dict[str, Sample]:
    """Seconds per step of all contenders after each number of past tasks, all measured in the same rounds."""
    workload = Workload(preset, device)
    batches = workload.batches()
    contenders: dict[str, Steps] = {
        "standard": CONTENDERS["standard"](workload, 0),
        "batches": repeated(lambda: next(batches)),
    }
    for past in PRESETS[preset]:
        if past <= most["hypermnesia"]:
            ours = ("hypermnesia", "difference", *(["torch"] if past else []))  # the first task has no regularizer
            contenders |= {f"{name} {past}": CONTENDERS[name](workload, past) for name in ours}
        enough = hypnettorch_memory(workload, past) < _free_memory(device)
        if past <= most["hypnettorch"] and hypnettorch_has(workload) and enough:
            contenders[f"hypnettorch {past}"] = CONTENDERS["hypnettorch"](workload, past)
    return in_turns(contenders, rounds=rounds, seconds=seconds, wait=waiting(device))


def peak_memory(preset: str, device: torch.device, rounds: int, most: Mapping[str, int]) -> dict[str, Sample]:
    """Peak memory in bytes of all contenders after some past tasks, each in a process of its own, in turns."""
    workload = Workload(preset, device)
    measured = [("standard", 0)]
    for past in REMEMBERED[preset]:
        measured.append(("hypermnesia", past))
        enough = hypnettorch_memory(workload, past) < _free_memory(device)
        if hypnettorch_has(workload) and enough and past <= most["hypnettorch"]:
            measured.append(("hypnettorch", past))
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for contender, past in measured:
            taken.setdefault(f"{contender} {past}", []).append(peak(preset, device, contender, past))
    return {name: Sample(tuple(bytes_)) for name, bytes_ in taken.items()}


def environment(options: argparse.Namespace) -> dict[str, str]:
    """Versions, device and rounds: what one needs to know to repeat the measurements."""
    device: torch.device = options.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    versions = {package: metadata.version(package) for package in ("torch", "hypermnesia", "hypnettorch")}
    return {
        "device": f"{device}: {name}",
        "threads": str(torch.get_num_threads()),
        "python": platform.python_version(),
        **versions,
        "rounds": f"{options.rounds}, of at least {options.seconds} s each",
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _steps(options: argparse.Namespace, results: Results) -> Iterator[Table]:
    for preset in PRESETS:
        samples = step_times(preset, options.device, options.rounds, options.seconds, options.most)
        results.step_times[preset] = samples
        yield step_time_table(preset, samples)


def _memory(options: argparse.Namespace, results: Results) -> Iterator[Table]:
    for preset in REMEMBERED:
        samples = peak_memory(preset, options.device, options.rounds, options.most)
        results.peak_memory[preset] = samples
        yield memory_table(preset, samples)


def _inference(options: argparse.Namespace, results: Results) -> Iterator[Table]:
    for num_tasks, images in options.inferred:
        samples = inference_times(num_tasks, images, options.device, options.rounds, options.seconds)
        results.inference[f"{num_tasks} tasks, {images:,} images"] = samples
    yield inference_table(results.inference)


def _answers(options: argparse.Namespace, results: Results) -> Iterator[Table]:
    for preset in ANSWERED:
        results.answers[preset] = answer_times(preset, options.device, options.rounds, options.seconds)
    yield answers_table(results.answers)


def _once(
    kind: str, measure: Callable[[argparse.Namespace], dict[str, Sample]], table: Callable[[dict[str, Sample]], Table]
) -> Callable[[argparse.Namespace, Results], Iterator[Table]]:
    """Measurement of one kind, which is a field of the results, with its table."""

    def measured(options: argparse.Namespace, results: Results) -> Iterator[Table]:
        getattr(results, kind).update(measure(options))
        yield table(getattr(results, kind))

    return measured


MEASUREMENTS: dict[str, Callable[[argparse.Namespace, Results], Iterator[Table]]] = {
    "steps": _steps,
    "replay": _once("replay", lambda o: replay_step_times(o.device, o.rounds, o.seconds), replay_table),
    "inference": _inference,
    "answers": _answers,
    "memory": _memory,
    "startup": _once("startup", lambda o: startup(o.rounds), startup_table),
    "planning": _once("planning", lambda o: planning_times(o.rounds, o.seconds), planning_table),
}
"""Each measures as the options say, keeps what it found in the results, and gives tables as soon as they are there."""


def main() -> None:
    """Measure what was asked for, print the tables, and write the figures to a file where one is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds, fewer tasks and images")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=MEASUREMENTS, help="what to measure")
    parser.add_argument("--device", type=resolve_device, default="cpu", help="cpu, cuda, cuda:N, mps or auto")
    parser.add_argument("--rounds", type=int, help="turns of every contender; 5, or 3 with --quick")
    parser.add_argument("--seconds", type=float, help="length of a turn; 0.5, or 0.2 with --quick")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every single measurement there")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.2 if options.quick else 0.5)
    # Past tasks at most; among how many tasks, for how many images, the task is inferred.
    options.most = {"hypermnesia": 100, "hypnettorch": 9} if options.quick else dict.fromkeys(CONTENDERS, 249)
    options.inferred = [(10, 2_000)] if options.quick else [(10, 10_000), (100, 10_000)]
    keep_freed_memory(options.device)  # A run does; here it serves all contenders alike.

    console = Console()
    if not console.is_terminal:
        console.width = 120  # Tables in a file should not be cut to a terminal's width.
    results = Results(environment(options))
    with console.status("") as status:
        for name, measure in MEASUREMENTS.items():
            if name in options.only:
                status.update(name)
                for table in measure(options, results):
                    console.print(table)
    if (aims := aims_table(results)).row_count:
        console.print(aims)
    console.print(", ".join(f"{key} {value}" for key, value in results.environment.items()))
    console.print("Medians of all rounds, and their range; a ratio is taken within each round.")
    if options.json:
        options.json.write_text(json.dumps(dataclasses.asdict(results), indent=2))


if __name__ == "__main__":
    main()
