"""A job on a worker of a Dask cluster, which is where this module runs. Imports no torch."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from hypermnesia.experiments.many_runs.child import Child
from hypermnesia.experiments.many_runs.executor import Exit, Job
from hypermnesia.experiments.many_runs.travel import Parcel, pack, unpack
from hypermnesia.experiments.single_run.stopping import STOP

TOPIC = "hypermnesia"
"""Events that workers send to whoever listens: dicts of `plan`, `job`, `what` and `line`; Dask adds `worker`."""
MARK = ".cluster"
"""File in the directory of all runs by which a worker knows that it sees the same directory as the client."""
_POLL_SECONDS, _ASK_SECONDS, _CHECKPOINT_SECONDS = 0.1, 5.0, 1.0


class OtherSoftwareError(Exception):
    """The worker's software is not the client's, so that it would find other numbers, if any."""


@functools.cache
def software() -> str:
    """What makes numbers differ: the version of the package, its sources, and the version of torch."""
    sources = hashlib.sha256()
    for path in sorted(Path(__file__).parents[2].rglob("*.py")):
        sources.update(path.read_bytes())
    torch = metadata.version("torch").partition("+")[0]
    return f"hypermnesia {metadata.version('hypermnesia')} ({sources.hexdigest()[:8]}) with torch {torch}"


def offers_gpu(dask_worker: Any) -> bool:
    """Whether the worker is one for runs that need a GPU, by a resource of that name."""
    return "GPU" in dask_worker.state.total_resources


def work(job: Job, plan: str, wanted: str) -> tuple[Exit, Parcel | None]:
    """Carry a job out, and return its end; with its directory, if that is not where the client sees it.

    Args:
        job: The job.
        plan: Name of all jobs that belong together, which is what stands in the file `MARK`.
        wanted: The client's `software()`.

    Raises:
        OtherSoftwareError: The worker's is another.
    """
    from distributed import get_worker

    worker = get_worker()
    if software() != wanted:
        raise OtherSoftwareError(worker.address, software())

    def tell(what: str, line: str = "") -> None:
        event = {"plan": plan, "job": job.name, "what": what, "line": line}
        worker.log_event(TOPIC, event)

    here = _Work(job, Path(worker.local_directory), plan, tell)
    _under_way[plan, job.name] = here
    try:
        return here.carry_out()
    finally:
        del _under_way[plan, job.name]


def stop(plan: str) -> None:
    """Ask all jobs of a plan that are here to save and stop."""
    for here in [here for (of, _), here in _under_way.items() if of == plan]:
        here.stop()


def tell_again(plan: str) -> None:
    """Have all jobs of a plan that go on here say so once more."""
    for here in [here for (of, _), here in _under_way.items() if of == plan]:
        here.tell_again()


def deliver(plan: str, job: str, parcel: Parcel) -> None:
    """Give a job that waits for it the directory that it goes on from."""
    here = _under_way.get((plan, job))
    if here and here.parcel is None:
        here.parcel = parcel


async def collect(plan: str, job: str, have: Mapping[str, str]) -> Parcel | None:
    """The directory of a job as it is now, but for what the client has; None where the job is not here any more."""
    here = _under_way.get((plan, job))
    return await asyncio.to_thread(pack, here.directory, have) if here and here.directory else None


_under_way: dict[tuple[str, str], _Work] = {}


class _Work:
    """A job while it is here."""

    def __init__(self, job: Job, local: Path, plan: str, tell: Callable[..., None]) -> None:
        self.parcel: Parcel | None = None
        self._tell = tell
        self._child: Child | None = None
        self._stopping = False
        self._line = ""
        self._starting = threading.Lock()  # a child starts, or is not started any more
        self._travels = job.directory is not None and not _stands_in(job.directory.parent / MARK, plan)
        self.directory = local / TOPIC / plan / job.name if self._travels else job.directory
        # Where the data lie on this machine is what it says itself.
        data = None if "HYPERMNESIA_DATA" in os.environ else job.data
        self._job = dataclasses.replace(job, directory=self.directory, data=data)

    def stop(self) -> None:
        """Ask it to save and stop."""
        with self._starting:
            self._stopping = True
            if self._child:
                self._child.stop()

    def tell_again(self) -> None:
        """Say that it goes on, and how far."""
        if self._child:
            self._tell("goes on", self._line)

    def carry_out(self) -> tuple[Exit, Parcel | None]:
        """Carry it out; returns its end, and its directory if that travels."""
        if not self._travels:
            return self._run(), None
        assert self.directory is not None
        try:
            shutil.rmtree(self.directory, ignore_errors=True)
            self._wait(lambda: self.parcel is not None, "waits for its files")
            if self.parcel:
                unpack(self.parcel, self.directory)
                self.parcel = Parcel({}, {})  # it has come, and need not stay in memory
            return self._run(), pack(self.directory)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self) -> Exit:
        self._wait(self._is_free, "goes on", f"waits while another process is at work in {self.directory}")
        with self._starting:
            if self._stopping:
                return Exit(128 + STOP, 0.0)
            self._child = Child(self._job)
        self._tell("starts")
        try:
            return self._follow(self._child)
        except BaseException:
            self._child.kill()
            raise

    def _follow(self, child: Child) -> Exit:
        """Tell what the child prints, and of its checkpoints where the client does not see them, until it ends."""
        checkpoint, told = self._newest_checkpoint(), time.monotonic()
        while not (ended := child.exit()):
            if (line := child.line()) != self._line:
                self._line = line
                self._tell("goes on", line)
            if self._travels and time.monotonic() - told > _CHECKPOINT_SECONDS:
                if (saved := self._newest_checkpoint()) != checkpoint:
                    checkpoint = saved
                    self._tell("has saved")
                told = time.monotonic()
            time.sleep(_POLL_SECONDS)
        return ended

    def _newest_checkpoint(self) -> str:
        return max((path.name for path in (self.directory or Path()).glob("checkpoint/step-*")), default="")

    def _is_free(self) -> bool:
        """Whether no process carries out the run in the directory: as one of a worker that was lost but goes on."""
        lock = self.directory / ".lock" if self.directory else None
        if lock and lock.exists():
            try:
                with FileLock(lock, blocking=False):
                    pass
            except Timeout:
                return False
        return True

    def _wait(self, met: Callable[[], bool], what: str, line: str = "") -> None:
        """Wait until a condition is met or the job is to stop, and say so now and then."""
        told = -_ASK_SECONDS
        while not met() and not self._stopping:
            if time.monotonic() - told > _ASK_SECONDS:
                told = time.monotonic()
                self._tell(what, line)
            time.sleep(_POLL_SECONDS)


def _stands_in(file: Path, text: str) -> bool:
    try:
        return file.read_text("utf-8") == text
    except OSError:
        return False
