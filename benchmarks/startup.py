"""How long the command takes before it does anything, beside what no program with torch can avoid."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import Sample, Steps, in_turns, repeated

COMMAND = str(Path(sys.executable).with_name("hypermnesia"))

TORCH_STEP = """import torch
layer = torch.nn.Linear(64, 2)
layer(torch.rand(32, 64)).square().sum().backward()
torch.optim.Adam(layer.parameters()).step()
"""
"""The least that a program takes which learns anything: the first step imports a second's worth of torch's parts."""


def startup(rounds: int) -> dict[str, Sample]:
    """Wall time in seconds of processes: an empty one, `--help`, `import torch`, a step of torch and a run of one."""
    with tempfile.TemporaryDirectory() as directory:
        run = [COMMAND, "run", "training.iterations=1", "tasks.num_tasks=1", "--device", "cpu", "--quiet"]
        return in_turns(
            {
                "python": _times([sys.executable, "-c", "pass"]),
                "help": _times([COMMAND, "--help"]),
                "torch": _times([sys.executable, "-c", "import torch"]),
                "torch step": _times([sys.executable, "-c", TORCH_STEP]),
                "run": _times([*run, "--overwrite", "--out", f"{directory}/run"]),
            },
            rounds=rounds,
            seconds=0,
        )


def _times(command: list[str]) -> Steps:
    return repeated(lambda: subprocess.run(command, check=True, capture_output=True))
