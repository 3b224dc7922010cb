"""A job's process, which never outlives the one that has started it. Imports no torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from hypermnesia.experiments.many_runs.executor import Exit, Job
from hypermnesia.experiments.single_run.stopping import STOP

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_READ = 1 << 16
_KILLED = 128 + 9
"""Exit code of a process that SIGKILL ends, as shells see it."""
_ENDED_BY_BREAK = 0xC000013A
"""What Windows gives as the exit code of a process that Ctrl-Break ends before it handles that."""
# Ctrl-C on a terminal goes to a whole group of processes. Ours must get one signal, from us: with two it would stop
# without saving.
_APART: dict[str, Any]
if sys.platform == "win32":
    _APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _APART = {"process_group": 0}


class Child:
    """Process of a job.

    Its standard input is a pipe from this process, and it ends when that is closed: which the system does whatever this
    process dies of.
    """

    def __init__(self, job: Job) -> None:
        self._start = time.perf_counter()
        # Files as long as the process; pipes could fill up.
        self._folder = tempfile.TemporaryDirectory(prefix="hypermnesia-")
        folder = Path(self._folder.name)
        settings = folder / f"{job.name}.yaml"
        settings.write_text(job.settings, "utf-8")
        self._output, self._errors = folder / "output", folder / "errors"
        out = ["--out", str(job.directory)] if job.directory else []
        data = ["--data", str(job.data)] if job.data else []
        words = ["--with-parent", job.command, str(settings), *out, *job.arguments, *data]
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hypermnesia", *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
                env={**os.environ, **dict.fromkeys(_THREADS, str(job.threads))},
                **_APART,
            )

    def stop(self) -> None:
        """Ask it to save and stop, by a signal that also ends a process that is still starting, without a word."""
        if sys.platform == "win32":
            self._process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self._process.send_signal(STOP)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._clean()

    def line(self) -> str:
        """The newest line it has printed."""
        with self._output.open("rb") as file:
            file.seek(max(0, self._output.stat().st_size - _READ))
            lines = file.read().decode(errors="replace").rpartition("\n")[0].splitlines()
        return next((line for line in reversed(lines) if line.strip()), "")

    def exit(self) -> Exit | None:
        """How it ended; None while it goes on. To be asked until it has ended, and not again."""
        if self._process.poll() is None:
            return None
        code = self._process.returncode
        if code == _ENDED_BY_BREAK:
            code = 128 + STOP
        errors = self._errors.read_bytes().decode(errors="replace").strip().splitlines()
        self._clean()
        return Exit(code if code >= 0 else 128 - code, time.perf_counter() - self._start, tuple(errors))

    def _clean(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._folder.cleanup()


def end_with_parent() -> None:
    """Let this process end at once when its standard input does, as when the one that holds the other end is killed."""

    def wait() -> None:
        while os.read(0, _READ):
            pass
        os._exit(_KILLED)

    threading.Thread(target=wait, daemon=True).start()
