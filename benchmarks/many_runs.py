"""What many runs cost beside the runs: `python -m benchmarks.many_runs overhead|faults|report [--runs N]`.

`overhead` plans, submits and collects runs that do nothing, on two workers of this machine. `faults` carries out runs
of two seconds on four workers, one of which is killed every three seconds. `report` makes the page of so many finished
runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

from hypermnesia.experiments.many_runs import worker as remote
from hypermnesia.experiments.many_runs.carry_out import carry_out
from hypermnesia.experiments.many_runs.cluster import Cluster
from hypermnesia.experiments.many_runs.executor import Exit, Job
from hypermnesia.experiments.many_runs.plan import PlannedRun, over_seeds
from hypermnesia.experiments.settings.benchmark import load_experiment

_RUN = "split-digits"


def overhead(runs: int, folder: Path) -> None:
    """Plan, submit and collect runs whose directories are copied instead of made."""
    template = _finished(folder / "template")

    def nothing(job: Job, plan: str, wanted: str) -> tuple[Exit, None]:
        assert job.directory
        shutil.copytree(template, job.directory)
        (job.directory / "config.yaml").write_text(job.settings)
        return Exit(0, 0.0), None

    remote.work = nothing
    start = time.perf_counter()
    planned = over_seeds([PlannedRun(_RUN, load_experiment(_RUN), ("task",))], runs)
    print(f"planning: {1000 * (time.perf_counter() - start) / runs:.2f} ms a run")
    (folder / "runs").mkdir()
    executor = Cluster("local:2", folder / "runs")
    seen = [0]

    def ended(outcome: object) -> None:
        seen[0] += 1
        if seen[0] == 1:
            print(f"all are submitted, and the first has ended, after {time.perf_counter() - start:.0f} s")
        if seen[0] in (runs // 10, runs // 2, runs):
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"after {seen[0]} runs: {time.perf_counter() - start:.0f} s, {memory:.0f} MiB")

    start, used = time.perf_counter(), time.process_time()
    outcomes = carry_out(planned, folder / "runs", executor=executor, ended=ended)
    assert all(outcome.state == "finished" for outcome in outcomes)
    wall, used = (1000 * each / runs for each in (time.perf_counter() - start, time.process_time() - used))
    print(f"{wall:.1f} ms a run from submitting to the outcome; of this process, the scheduler included, {used:.1f} ms")


def faults(runs: int, folder: Path) -> None:
    """Kill a worker every three seconds until all runs have ended."""
    clusters = _clusters()
    (folder / "runs").mkdir()
    machines = clusters.Machines(folder)
    machines.scheduler()
    workers = [machines.worker() for _ in range(4)]
    last, killed = [time.monotonic()], [0]

    def kill_now_and_then() -> bool:
        if time.monotonic() - last[0] > 3:
            last[0], place = time.monotonic(), random.randrange(len(workers))
            clusters.kill(workers[place])
            workers[place] = machines.worker()
            killed[0] += 1
        return False

    start, planned = time.monotonic(), clusters.planned(runs)
    try:
        executor = Cluster(str(machines.file), folder / "runs")
        outcomes = carry_out(planned, folder / "runs", executor=executor, stop=kill_now_and_then)
    finally:
        machines.close()
    equal = sum(outcome.averages == {"task": clusters.expected(outcome.run)} for outcome in outcomes)
    twice = sum(times > 1 for times in Counter(machines.logged("ends")).values())
    resumed = sum(step > 0 for _, step in machines.logged("starts"))
    print(f"{equal} of {runs} as expected in {time.monotonic() - start:.0f} s; {killed[0]} workers killed,")
    print(f"{resumed} times a run was resumed from a checkpoint, {twice} runs were made twice to their end")


def report(runs: int, folder: Path) -> None:
    """Make the page of copies of a finished run, half of another method, each with a seed of its own."""
    template = _finished(folder / "template")
    text = (template / "config.yaml").read_text()
    for seed in range(runs):
        copy = folder / "runs" / f"run-{seed}"
        shutil.copytree(template, copy)
        beta = f"beta: {1 + seed % 2}.0"
        (copy / "config.yaml").write_text(text.replace("seed: 0", f"seed: {seed}").replace("beta: 10.0", beta))
    start = time.perf_counter()
    command = [sys.executable, "-m", "hypermnesia", "report", str(folder / "runs"), "-o", str(folder / "page.html")]
    subprocess.run(command, check=True)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    size = (folder / "page.html").stat().st_size / 2**20
    print(f"{runs} runs: {time.perf_counter() - start:.0f} s, {memory:.0f} MiB, a page of {size:.1f} MiB")


def _finished(path: Path) -> Path:
    """A finished run of the smallest benchmark, without what is large."""
    words = ["run", _RUN, "training.iterations=20", "--device", "cpu", "--out", str(path), "--quiet"]
    subprocess.run([sys.executable, "-m", "hypermnesia", *words], check=True, stdout=subprocess.DEVNULL)
    for large in (path / "checkpoint", path / "tensorboard"):
        shutil.rmtree(large, ignore_errors=True)
    return path


def _clusters() -> ModuleType:
    """The tests' machines, whatever other package is called `tests`."""
    file = Path(__file__).parents[1] / "tests" / "experiments" / "many_runs" / "clusters.py"
    spec = importlib.util.spec_from_file_location("clusters", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["overhead", "faults", "report"])
    parser.add_argument("--runs", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        {"overhead": overhead, "faults": faults, "report": report}[chosen.what](chosen.runs, Path(place))
