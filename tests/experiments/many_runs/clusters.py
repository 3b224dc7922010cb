"""Dask schedulers and workers as processes of their own, and a program that stands in the place of a run.

It takes a second instead of many, holds the lock of its directory, writes a checkpoint after every step, goes on from
the newest one, and computes a number that is right only if no step is left out or made twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hypermnesia.experiments.many_runs.plan import PlannedRun, over_seeds
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.files import FORMAT

STEPS, MODULUS = 12, 1_000_003
_PROGRAM = f"""#!{sys.executable}
import fcntl, json, os, pathlib, sys, threading, time
words = sys.argv[sys.argv.index("run") + 1 :]
settings, out = pathlib.Path(words[0]).read_bytes(), pathlib.Path(words[words.index("--out") + 1])
def wait():
    while os.read(0, 1): pass
    os._exit(1)
threading.Thread(target=wait, daemon=True).start()
(out / "checkpoint").mkdir(parents=True, exist_ok=True)
lock = (out / ".lock").open("a")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
def newest():
    return max((path.name for path in (out / "checkpoint").glob("step-*")), default=None)
def log(what, step):
    with pathlib.Path(sys.argv[0]).with_name("log").open("a") as file: file.write(f"{{what}} {{out.name}} {{step}}\\n")
before = newest()
step, number = json.loads((out / "checkpoint" / before).read_text()) if before else (0, 0)
log("starts", step)
seed = int(out.name.rpartition("seed")[2])
while step < {STEPS}:
    time.sleep(0.15)
    step, number = step + 1, (number * 31 + seed + step) % {MODULUS}
    aside = out / "checkpoint" / ".aside"
    aside.write_text(json.dumps([step, number]))
    aside.rename(out / "checkpoint" / f"step-{{step:09d}}.json")
    print(f"task {{step}}/{STEPS} (some): done", flush=True)
(out / "config.yaml").write_bytes(settings)
(out / "environment.json").write_text('[{{"format": {FORMAT}}}]')
(out / "accuracy.csv").write_text("after,a\\na,0.5\\n")
(out / "timing.csv").write_text("task,iterations,learning_seconds,evaluation_seconds\\n")
if not before or not before.startswith(f"step-{{step:09d}}"):  # else it was made to its end before, and not told so
    log("ends", step)
found = {{"measure": "accuracy", "scenario_accuracy": {{"task": number / {MODULUS}}}}}
(out / "summary.json").write_text(json.dumps(found))
"""


def planned(number: int) -> list[PlannedRun]:
    """So many runs."""
    return over_seeds([PlannedRun("some", load_experiment("split-digits"), ("task",))], number)


def expected(run: PlannedRun) -> float:
    """What the program computes for a run."""
    number = 0
    for step in range(STEPS):
        number = (number * 31 + run.experiment.seed + step) % MODULUS
    return number / MODULUS


class Machines:
    """A scheduler and workers, all on this machine, which are killed at the end.

    Args:
        folder: Of the scheduler's file, the program and its log; workers have directories of their own below it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.log = folder, folder / "scheduler.json", folder / "log"
        self.processes: list[subprocess.Popen] = []
        self._program = folder / "program"
        self._program.write_text(_PROGRAM)
        self._program.chmod(0o755)

    def scheduler(self) -> subprocess.Popen:
        self.file.unlink(missing_ok=True)
        words = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self.file), "--no-dashboard"]
        process = self._start(f"from distributed.cli.dask_scheduler import main; main({words})", self.folder)
        until(self.file.exists, process)
        return process

    def worker(self, *more: str, before: str = "", real: bool = False) -> subprocess.Popen:
        """A worker, whose runs are the program unless they are `real`."""
        place = self.folder / f"worker-{len(self.processes)}"
        place.mkdir()
        words = ["--scheduler-file", str(self.file), "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny"]
        words += ["--no-dashboard", "--local-directory", str(place), *more]
        program = "" if real else f"import sys; sys.executable = {str(self._program)!r}\n"
        return self._start(f"{program}{before}\nfrom distributed.cli.dask_worker import main; main({words})", place)

    def python(self, code: str) -> subprocess.Popen:
        return self._start(code, self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def logged(self, what: str) -> list[tuple[str, int]]:
        """Runs that have started or ended, and at which step."""
        lines = [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return [(name, int(step)) for done, name, step in lines if done == what]

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def _start(self, code: str, place: Path, **options) -> subprocess.Popen:
        options = {"stdout": subprocess.DEVNULL, "stderr": (self.folder / "errors").open("ab"), **options}
        environment = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "10", **os.environ}
        process = subprocess.Popen([sys.executable, "-c", code], cwd=place, env=environment, **options)
        self.processes.append(process)
        return process


def until(reached: Callable[[], bool], *processes: subprocess.Popen, seconds: float = 300) -> None:
    """Wait until something is so, while all these processes live."""
    end = time.monotonic() + seconds
    while not reached():
        for process in processes:
            assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "it never was"
        time.sleep(0.05)


def kill(process: subprocess.Popen) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
