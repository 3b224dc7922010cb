"""Peak memory of learning a task. Each measurement is a process of its own, which runs this module."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.contenders import CONTENDERS
from benchmarks.workload import Workload

SECONDS = 5.0
"""Time for which a task is learned: the memory that the C library holds settles in the course of some steps."""


def peak(preset: str, device: torch.device, contender: str, past_tasks: int) -> float:
    """Peak memory in bytes: of the device, or of the whole process where the device is the CPU."""
    command = [sys.executable, "-m", "benchmarks.memory", preset, str(device), contender, str(past_tasks)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_of_this_process() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count what the parent held when it started this process.
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) * 1024
    import resource  # not on Windows

    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset")
    parser.add_argument("device", type=torch.device)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("past_tasks", type=int)
    options = parser.parse_args()
    steps = CONTENDERS[options.contender](Workload(options.preset, options.device), options.past_tasks)
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        steps(5)
    on_device = options.device.type == "cuda"
    print(torch.cuda.max_memory_allocated() if on_device else _peak_of_this_process())


if __name__ == "__main__":
    _main()
