"""Ranks that learn together, each a process of its own, on this machine alone."""

import faulthandler
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import cloudpickle
import torch
import torch.distributed as dist

import tests.cpu_torchvision  # noqa: F401  # what a function refers to may import it

PROJECT = Path(__file__).parents[1]


def together(ranks: int, work: Callable[[], Any], seconds: float = 900) -> list[Any]:
    """What a function returns on each of so many ranks.

    Ranks are started afresh, not forked: whatever lock a thread of this process holds would be held in a fork forever.
    So they see what the function refers to, but not what this process has changed elsewhere.

    Args:
        ranks: Number of processes.
        work: The function, also one that refers to variables around it.
        seconds: Until whoever is not ready says where it is, and ends.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work").write_bytes(cloudpickle.dumps(work))
        started = []
        for rank in range(ranks):
            with (folder / f"{rank}.txt").open("w") as said:
                command = [sys.executable, "-m", "tests.ranks", str(folder), str(rank), str(ranks), str(seconds)]
                started.append(subprocess.Popen(command, cwd=PROJECT, stdout=said, stderr=said))
        codes = [process.wait() for process in started]
        assert codes == [0] * ranks, "\n".join(path.read_text() for path in sorted(folder.glob("*.txt")))
        return [pickle.loads((folder / str(rank)).read_bytes()) for rank in range(ranks)]


def main(folder: Path, rank: int, ranks: int, seconds: float) -> None:
    """Do what a rank does.

    Args:
        folder: Where the function is, and what it returns is put.
        rank: Number of this rank.
        ranks: Their number.
        seconds: Until it must be ready.
    """
    faulthandler.dump_traceback_later(seconds, exit=True)
    torch.set_num_threads(1)
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store, limit = f"file://{folder / 'store'}", timedelta(seconds=seconds)
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=ranks, timeout=limit)
    work = pickle.loads((folder / "work").read_bytes())
    (folder / str(rank)).write_bytes(pickle.dumps(work()))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]), float(sys.argv[4]))
