"""How long the command takes before it does anything, beside what no program with torch can avoid."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import Sample, Steps, in_turns, repeated

COMMAND = str(Path(sys.executable).with_name("hypermnesia"))


def startup(rounds: int) -> dict[str, Sample]:
    """Wall time in seconds of four processes: an empty one, `--help`, `import torch` and a run of one step."""
    with tempfile.TemporaryDirectory() as directory:
        run = [COMMAND, "run", "training.iterations=1", "tasks.num_tasks=1", "--device", "cpu", "--quiet"]
        return in_turns(
            {
                "python": _times([sys.executable, "-c", "pass"]),
                "help": _times([COMMAND, "--help"]),
                "torch": _times([sys.executable, "-c", "import torch"]),
                "run": _times([*run, "--overwrite", "--out", f"{directory}/run"]),
            },
            rounds=rounds,
            seconds=0,
        )


def _times(command: list[str]) -> Steps:
    return repeated(lambda: subprocess.run(command, check=True, capture_output=True))
