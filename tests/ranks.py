"""Ranks that learn together, each a forked process, on this machine alone."""

import multiprocessing
import os
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist


def together(ranks: int, work: Callable[[], Any], seconds: float = 120) -> list[Any]:
    """What a function returns on each of so many ranks; it sees what this process has made so far.

    Args:
        ranks: Number of processes.
        work: The function.
        seconds: Until whoever is not ready is killed.
    """
    processes = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = [
            processes.Process(target=_one, args=(number, ranks, work, folder, seconds)) for number in range(ranks)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(seconds)
            process.kill()
            process.join()
        said = "".join(path.read_text() for path in folder.glob("*.txt"))
        assert [process.exitcode for process in started] == [0] * ranks, said or "not ready in time"
        return [pickle.loads((folder / str(number)).read_bytes()) for number in range(ranks)]


def _one(rank: int, ranks: int, work: Callable[[], Any], folder: Path, seconds: float) -> None:
    torch.set_num_threads(1)  # those of the parent are not here
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store, limit = f"file://{folder / 'store'}", timedelta(seconds=seconds)
    try:
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=ranks, timeout=limit)
        (folder / str(rank)).write_bytes(pickle.dumps(work()))
        dist.barrier()
        dist.destroy_process_group()
    except BaseException:
        (folder / f"{rank}.txt").write_text(traceback.format_exc())
        os._exit(1)
