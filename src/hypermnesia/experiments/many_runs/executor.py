"""What carries processes out: this machine (`processes.py`) or a cluster (`cluster.py`). Imports no torch."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Job:
    """One call of the command line, in a process of its own.

    Args:
        name: One of its own among all that are submitted.
        command: As `run`.
        settings: Experiment as YAML, which the process is given as a file.
        threads: CPU threads.
        arguments: What comes after that file.
        directory: What the process writes to and goes on from (`out`); None: nothing.
        data: Where the data lie; None looks at the usual places.
        gpu: Whether it needs a GPU.
    """

    name: str
    command: str
    settings: str
    threads: int
    arguments: tuple[str, ...] = ()
    directory: Path | None = None
    data: Path | None = None
    gpu: bool = False


@dataclasses.dataclass(frozen=True)
class Exit:
    """End of a process.

    Args:
        code: As shells see it: 0 for done, 143 for stopped by SIGTERM.
        seconds: Time it took.
        errors: Lines it wrote to stderr.
    """

    code: int
    seconds: float
    errors: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class News:
    """What an executor has to tell of a job.

    Args:
        job: Name of the job.
        where: Worker that carries it out; empty for this machine.
        line: Newest line that its process has printed; empty as it starts.
        exit: End of the process; None while it goes on.
    """

    job: str
    where: str = ""
    line: str = ""
    exit: Exit | None = None


class Executor(abc.ABC):
    """Carries jobs out. Use it in a `with` statement, at the end of which it is closed."""

    @abc.abstractmethod
    def submit(self, job: Job) -> None:
        """Take a job on; it starts when there is room."""

    @property
    @abc.abstractmethod
    def room(self) -> int:
        """How many jobs go on at the same time, as far as is known now."""

    @property
    @abc.abstractmethod
    def busy(self) -> bool:
        """Whether there are jobs whose end has not been told."""

    @abc.abstractmethod
    def news(self) -> Sequence[News]:
        """What has happened since the last call; waits a moment for it. Starts what there is room for."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ask all processes to save and stop, and forget what has not started."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give back what it holds. No process of this machine outlives it."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
