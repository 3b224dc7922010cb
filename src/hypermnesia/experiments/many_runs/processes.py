"""Jobs as processes of this machine, a few at a time."""

from __future__ import annotations

import time
from collections import deque

from hypermnesia.experiments.many_runs.child import Child
from hypermnesia.experiments.many_runs.executor import Executor, Job, News

_POLL_SECONDS = 0.05


class Processes(Executor):
    """Executor that starts processes on this machine.

    Args:
        jobs: Jobs at a time.
    """

    def __init__(self, jobs: int = 1) -> None:
        self._jobs = jobs
        self._waiting: deque[Job] = deque()
        self._children: dict[str, Child] = {}
        self._lines: dict[str, str] = {}

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    @property
    def room(self) -> int:
        return self._jobs

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._children)

    def news(self) -> list[News]:
        found = []
        while self._waiting and len(self._children) < self._jobs:
            job = self._waiting.popleft()
            self._children[job.name] = Child(job)
            found.append(News(job.name))
        time.sleep(_POLL_SECONDS)
        for name, child in list(self._children.items()):
            if (line := child.line()) != self._lines.get(name, ""):
                self._lines[name] = line
                found.append(News(name, line=line))
            if ended := child.exit():
                del self._children[name]
                found.append(News(name, exit=ended))
        return found

    def stop(self) -> None:
        self._waiting.clear()
        for child in self._children.values():
            child.stop()

    def close(self) -> None:
        """End all processes at once."""
        for child in self._children.values():
            child.kill()
