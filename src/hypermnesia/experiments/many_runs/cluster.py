"""Jobs on the workers of a Dask cluster. Dask decides where, and starts again elsewhere what a dead worker leaves."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import logging
import queue
import re
import uuid
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypermnesia.errors import ConfigurationError, HypermnesiaError, note, shown
from hypermnesia.experiments.many_runs import worker as remote
from hypermnesia.experiments.many_runs.executor import Executor, Exit, Job, News
from hypermnesia.experiments.many_runs.travel import pack, unpack
from hypermnesia.extras import needed
from hypermnesia.files import write_atomically

if TYPE_CHECKING:
    from distributed import Client, Future, KilledWorker, LocalCluster

_ADDRESS = re.compile(r"(tcp|tls)://.+:\d+")
_POLL_SECONDS = 0.1
_ALLOWED_FAILURES = 10
"""Deaths of workers that a job survives, where the scheduler is ours."""
_BATCH = 1000
"""Jobs that are sent to the scheduler in one message."""


class ClusterError(HypermnesiaError):
    """The cluster has gone."""


class Cluster(Executor):
    """Executor that hands jobs to a Dask scheduler.

    Jobs go on without this process. One that is started again, in the same directory and with the same jobs, finds
    those that have ended, and those that go on.

    Where a worker does not see `directory`, that of the job travels there and back, its checkpoints also meanwhile.

    Args:
        address: `tcp://HOST:PORT` or `tls://HOST:PORT` of a scheduler, the path of its scheduler file, or `local:N` for
            a cluster of so many workers on this machine, which ends with this process.
        directory: Directory of the jobs' directories; must exist.

    Raises:
        ConfigurationError: There is no such cluster, or one of its workers has other software.
    """

    def __init__(self, address: str, directory: Path) -> None:
        self._client, self._local = _connect(address)
        self._address = address
        self._plan = _mark(directory / remote.MARK)
        self._submitted: list[Job] = []
        self._jobs: dict[str, Job] = {}
        self._futures: dict[str, Future[Any]] = {}
        self._begun: dict[str, str] = {}
        self._stopping = self._greeted = False
        self._happened: queue.SimpleQueue[dict[str, Any] | str] = queue.SimpleQueue()
        try:
            self._refuse_other_software()
        except BaseException:
            self.close()
            raise
        self._client.subscribe_topic(remote.TOPIC, lambda event: self._happened.put(event[1]))

    def submit(self, job: Job) -> None:
        self._submitted.append(job)  # handed over all at once: that costs the scheduler a tenth

    def _hand_over(self) -> None:
        self._note_what_lacks()
        for gpu in (False, True):
            jobs = [job for job in self._submitted if job.gpu == gpu]
            # Tuples: so all are of one kind for the scheduler, which keeps figures of every kind.
            keys: Any = [
                (remote.TOPIC, job.name, hashlib.sha256(repr((self._plan, job)).encode()).hexdigest()) for job in jobs
            ]
            where = {"key": keys, "resources": {"GPU": 1} if gpu else None}
            futures = self._client.map(
                remote.work, jobs, plan=self._plan, wanted=remote.software(), batch_size=_BATCH, **where
            )
            self._keep("client-desires-keys", *keys)
            for job, future in zip(jobs, futures, strict=True):
                self._jobs[job.name], self._futures[job.name] = job, future
                future.add_done_callback(functools.partial(self._done, job.name))
        self._submitted.clear()

    def _note_what_lacks(self) -> None:
        workers = self._client.run(remote.offers_gpu, on_error="ignore")
        if not workers:
            note(f"No worker has come to {self._address} yet; the runs wait for one.")
        elif any(job.gpu for job in self._submitted) and not any(workers.values()):
            note(
                f"No worker at {self._address} offers a GPU; runs with device=cuda wait for one, which"
                " `dask worker … --resources GPU=1` starts."
            )

    def _done(self, name: str, future: Future[Any]) -> None:
        self._happened.put(name)

    @property
    def room(self) -> int:
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    @property
    def busy(self) -> bool:
        return bool(self._futures or self._submitted)

    def news(self) -> list[News]:
        found = []
        if self._submitted:
            self._hand_over()
        if not self._greeted:  # what goes on since before this process was started has told so to another
            self._greeted = True
            self._client.run(remote.tell_again, self._plan, on_error="ignore")
        with contextlib.suppress(queue.Empty):
            happened = self._happened.get(timeout=_POLL_SECONDS)
            while True:
                if news := self._ended(happened) if isinstance(happened, str) else self._told(**happened):
                    found.append(news)
                happened = self._happened.get_nowait()
        return found

    def stop(self) -> None:
        self._stopping = True
        self._submitted.clear()
        waiting = [name for name, future in self._futures.items() if name not in self._begun and not future.done()]
        futures = [self._futures.pop(name) for name in waiting]
        self._keep("client-releases-keys", *(future.key for future in futures))
        self._client.cancel(futures, force=True)
        self._client.run(remote.stop, self._plan, on_error="ignore")

    def close(self) -> None:
        """Leave the cluster, where jobs that have not ended go on; a cluster of this machine ends."""
        self._client.close()
        if self._local:
            self._local.close()

    def _keep(self, how: str, *keys: Any) -> None:
        # The scheduler drops what no client wants, as after this process has been killed. So the plan is a client, too,
        # which never goes: published datasets are kept in the same way, but take much longer to be made.
        self._client._send_to_scheduler({"op": how, "keys": list(keys), "client": f"{remote.TOPIC}-{self._plan}"})

    def _told(self, plan: str, job: str, what: str, line: str, worker: str) -> News | None:
        """What follows from an event that a worker has sent."""
        if plan != self._plan or job not in self._futures:
            return None
        directory = self._jobs[job].directory
        if what == "waits for its files" and directory:
            parcel = pack(directory)
            self._client.run(remote.deliver, plan, job, parcel, workers=[worker], on_error="ignore")
            return None
        if what == "has saved" and directory:
            self._collect(job, worker, directory)
            return None
        again = self._begun.get(job) == worker
        self._begun[job] = worker
        if self._stopping:  # it was started after all, or once more
            self._client.run(remote.stop, plan, workers=[worker], on_error="ignore")
        return None if again and not line else News(job, worker, line)

    def _collect(self, job: str, where: str, directory: Path) -> None:
        have = pack(directory).checksums
        answers = self._client.run(remote.collect, self._plan, job, have, workers=[where], on_error="ignore")
        for parcel in answers.values():
            if parcel:
                unpack(parcel, directory)

    def _ended(self, name: str) -> News | None:
        from distributed import KilledWorker

        future = self._futures.get(name)
        if future is None:
            return None
        try:
            ended, parcel = future.result()
        except remote.OtherSoftwareError as error:
            where, software = error.args
            note(_other(where, software))
            self._client.retire_workers([where])
            future.retry()
            future.add_done_callback(functools.partial(self._done, name))
            return None
        except KilledWorker as error:
            ended, parcel = Exit(1, 0.0, (_killed(error),)), None
        except CancelledError as error:
            raise ClusterError(
                f"The scheduler at {self._address} has gone. Start it and its workers again; the same command goes on."
            ) from error
        if parcel and (directory := self._jobs[name].directory):
            unpack(parcel, directory)
        self._keep("client-releases-keys", future.key)
        del self._futures[name], self._jobs[name]
        return News(name, self._begun.get(name, ""), exit=ended)

    def _refuse_other_software(self) -> None:
        for where, software in self._client.run(remote.software, on_error="return").items():
            if software != remote.software():
                raise ConfigurationError(_other(where, software))


def _other(where: str, software: object) -> str:
    return (
        f"The worker at {where} is refused: it has {software}, and here is {remote.software()}; numbers could differ."
        " Install the same there."
    )


def _killed(error: KilledWorker) -> str:
    return (
        f"Given up: {error.allowed_failures + 1} workers died while they carried it out, the last at"
        f" {error.last_worker.address}, perhaps of too little memory. The same command tries again from its newest"
        " checkpoint. A scheduler allows more with DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=100 in its"
        " environment."
    )


def _mark(file: Path) -> str:
    """The name of the plan: what stands in the file, or is put there."""
    if not file.exists():
        write_atomically(file, uuid.uuid4().hex.encode())
    return file.read_text("utf-8")


def _connect(address: str) -> tuple[Client, LocalCluster | None]:
    with needed("A cluster", "cluster"):
        import dask
        from distributed import Client, LocalCluster
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said here
    if local := re.fullmatch(r"local:([1-9]\d{0,2})", address):
        settings = {"scheduler.allowed-failures": _ALLOWED_FAILURES, "scheduler.worker-saturation": 1.0}
        with dask.config.set({f"distributed.{place}": value for place, value in settings.items()}):
            cluster = LocalCluster(
                n_workers=int(local[1]), threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
            )
        return Client(cluster), cluster
    if (file := Path(address)).is_file():
        address = _address_in(file)
    elif not _ADDRESS.fullmatch(address):
        raise ConfigurationError(
            f"cluster: {shown(address)} is no cluster; give the address of a scheduler, as tcp://HOST:8786, its"
            " scheduler file, or local:4 for four workers on this machine, at most local:999."
        )
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook's own has a loop already
            thread.submit(asyncio.run, _greet(address)).result()
        return Client(address), None
    except Exception as error:  # also what Dask says of certificates: OSError, TypeError, RuntimeError, ValueError
        raise ConfigurationError(
            f"cluster: no connection to a scheduler at {shown(address)} ({error}). Start one with `dask scheduler`, and"
            f" workers with `dask worker {shown(address)} --nthreads 1`; where they use TLS, this process needs their"
            " certificates, too."
        ) from error


async def _greet(address: str) -> None:
    """Try whether a scheduler answers; a client would wait forever for whoever else listens, as the dashboard does."""
    import dask
    from distributed.comm.core import connect
    from distributed.security import Security

    limit = dask.utils.parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    try:
        connection = await asyncio.wait_for(connect(address, **Security().get_connection_args("client")), 2 * limit)
    except TimeoutError:
        raise ClusterError("whoever listens there does not answer as a scheduler does") from None
    await connection.close()


def _address_in(file: Path) -> str:
    """The address that stands in a scheduler file."""
    try:
        address = json.loads(file.read_bytes())["address"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        address = None
    if not isinstance(address, str) or not re.fullmatch(r"\w+://\S+:\d+", address):
        raise ConfigurationError(
            f"cluster: {file} is no scheduler file; `dask scheduler --scheduler-file FILE` writes one."
        )
    return address
