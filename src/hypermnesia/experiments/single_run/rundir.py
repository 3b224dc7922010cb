"""The directory of a run: what is in it, and when it may be made, replaced or continued."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from hypermnesia.claims import LOCK, claimed, in_use
from hypermnesia.criteria import ACCURACY, ERROR, Metric
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings import sources
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.files import FORMAT, read_regular, remove_left_behind, write_atomically
from hypermnesia.settings import checked
from hypermnesia.training.checkpoint import read_state, write_state

_NEEDED = {"config.yaml", "environment.json"}
_LARGEST_ENVIRONMENT, _LARGEST_COLUMNS = 1 << 20, 1 << 26
_Names = TypeAdapter(list[str])


class RunDirectory:
    """One run's files.

    | file | what it holds |
    |---|---|
    | config.yaml | the experiment, every setting written out |
    | environment.json | versions and device, one entry each time the run was started or resumed |
    | data.json | a digest of each task's examples, where they are somebody's own |
    | columns.json | names of the columns of a table that are inputs, in the order in which they were learned |
    | metrics.jsonl | loss and accuracy (or error) while learning, and of each task after each |
    | accuracy.csv | test accuracies: row = after task i, column = task j; error.csv for a regression |
    | timing.csv | seconds each task took |
    | accuracy.png | a picture of accuracy.csv; error.png of error.csv |
    | task_inference.csv | of each task's test inputs (row), how many were taken for which task (column) |
    | task_inference.png | a picture of task_inference.csv |
    | replay.safetensors | inputs of each task as remembered right after it, and after the newest one; not permuted |
    | replay.png | a picture of replay.safetensors |
    | summary.json | the figures printed at the end |
    | learner.safetensors | the learner after the last task, for `HypernetworkLearner.load` |
    | learners/ | the learner after each task, where `recording.keep_learners` asks for it |
    | checkpoint/ | what a resumed run continues from |
    | trackers.json | what trackers know the run by, where `recording.log` names some |
    | tensorboard/, wandb/ | what they write here |
    | analyses/ | what `hypermnesia analyze` found out about the finished run |
    | .lock | held by the process that carries the run out |

    Args:
        path: The directory; need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.environment = path / "environment.json"
        self.data = path / "data.json"
        self.columns = path / "columns.json"
        self.metrics = path / "metrics.jsonl"
        self.timing = path / "timing.csv"
        self.task_inference = path / "task_inference.csv"
        self.task_inference_picture = path / "task_inference.png"
        self.replay = path / "replay.safetensors"
        self.replay_picture = path / "replay.png"
        self.summary = path / "summary.json"
        self.learner = path / "learner.safetensors"
        self.learners = path / "learners"
        self.checkpoint = path / "checkpoint"
        self.trackers = path / "trackers.json"
        self.tensorboard = path / "tensorboard"
        self.wandb = path / "wandb"
        self.analyses = path / "analyses"
        self.lock = path / LOCK

    def learner_after(self, tasks: int) -> Path:
        """File of the learner as it was after `tasks` tasks."""
        return self.learners / f"task-{tasks:03d}.safetensors"

    def is_run(self) -> bool:
        """Whether a run was started here."""
        return all((self.path / name).is_file() for name in _NEEDED)

    def is_free(self) -> bool:
        """Whether nothing is here yet, or an empty directory."""
        return not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir()))

    def read_experiment(self) -> Experiment:
        """The experiment that was started here.

        Raises:
            ConfigurationError: There is none, or its config.yaml has been damaged.
        """
        if not self.is_run():
            raise ConfigurationError(f"{self.path} holds no run.")
        self.check_format()
        return checked(Experiment, sources.read_file(self.config, within=self.path), f"{self.config} cannot be run.")

    def read_finished_experiment(self) -> Experiment:
        """The experiment of a run that is finished, so that its learner can be used.

        Raises:
            ConfigurationError: There is no run here, its config.yaml has been damaged, or it is not finished.
        """
        if not self.is_run():
            raise ConfigurationError(
                f"{self.path} is not a run directory: give one that `hypermnesia run` made, as runs/split-digits-seed0."
            )
        experiment = self.read_experiment()
        if not self.summary.is_file():
            raise ConfigurationError(f"the run in {self.path} is not finished; resume it first")
        return experiment

    def check_format(self) -> None:
        """Refuse a directory that another version made, in a layout that this one does not know.

        Raises:
            ConfigurationError: It is such a directory.
        """
        try:
            (first, *_) = self._environments()
            found = first.get("format")
        except (ConfigurationError, OSError, ValueError, AttributeError, TypeError):
            return  # missing or damaged, which is told where it matters
        if found != FORMAT:
            raise ConfigurationError(
                f"{self.path} was made by another version of hypermnesia (format {found or 1}, here {FORMAT}): it can"
                " be neither resumed nor read by this one; use that version, or run the experiment again."
            )

    def check(self, experiment: Experiment, *, resume: bool, overwrite: bool) -> None:
        """Refuse what would lose or mix up anybody's files; changes nothing.

        Raises:
            ConfigurationError: Says what is in the way, and what to do.
        """
        if self.lock.exists():
            with claimed(self.path, stays=True):
                pass
        self._check(experiment, resume=resume, overwrite=overwrite)

    def _check(self, experiment: Experiment, *, resume: bool, overwrite: bool) -> None:
        if self.is_free():
            return
        if not self.is_run():
            raise ConfigurationError(f"{self.path} exists and is not a run directory; choose another directory (out).")
        if resume:
            self._check_same(experiment)
        elif not overwrite:
            raise ConfigurationError(
                f"{self.path} already holds a run: continue it (resume), replace it (overwrite), "
                "or choose another directory (out)."
            )
        elif foreign := sorted(file.name for file in self.path.iterdir() if not self._written_by_a_run(file.name)):
            raise ConfigurationError(
                f"{self.path} also holds files that no run writes ({', '.join(foreign)}), which overwriting "
                "would delete: move them away, or choose another directory (out)."
            )

    def _check_same(self, experiment: Experiment) -> None:
        saved, wanted = (sources.flatten(e.model_dump(mode="json")) for e in (self.read_experiment(), experiment))
        different = [
            f"{key} is {wanted.get(key)!r}, was {saved.get(key)!r}"
            for key in {**saved, **wanted}
            if saved.get(key) != wanted.get(key)
        ]
        if different:
            raise ConfigurationError(
                f"{self.path} cannot be resumed with other settings: {'; '.join(different)}. "
                "Give the settings it was started with (resuming without any takes them from there), "
                "or choose another directory (out)."
            )

    @contextlib.contextmanager
    def opened(
        self, experiment: Experiment, environment: Mapping[str, Any], *, resume: bool, overwrite: bool = False
    ) -> Iterator[bool]:
        """The directory while its run is carried out, by this process alone; made unless the run is resumed.

        A new directory appears complete, and claimed, or not at all, whenever the process is killed; of several
        processes that make it at once, one does.

        Returns:
            Whether an earlier run is continued.

        Raises:
            ConfigurationError: As for `check`, or the directory cannot be made.
        """
        with contextlib.ExitStack() as held:
            if before := self.is_run():
                held.enter_context(claimed(self.path, stays=True))
            self._check(experiment, resume=resume, overwrite=overwrite)  # since it was checked, others may have come
            if before and resume:
                remove_left_behind(self.path)
                _write(self.environment, _json([*self._environments(), {"format": FORMAT, **environment}]))
                yield True
            else:
                if sys.platform == "win32":  # where no directory is renamed in which a file is open
                    held.close()
                held.enter_context(self._made(experiment, environment, replace=before))
                yield False

    @contextlib.contextmanager
    def _made(self, experiment: Experiment, environment: Mapping[str, Any], *, replace: bool) -> Iterator[None]:
        """Make the directory aside and put it in its place, with the lock that this process holds."""
        path = self.path.resolve()
        made, old = (path.with_name(f".{path.name}.{suffix}") for suffix in ("new", "old"))
        try:
            made.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._cannot_be_made(error) from error
        with contextlib.ExitStack() as held:
            held.enter_context(claimed(made, named=self.path, stays=True))
            for leftover in (old, *(each for each in made.iterdir() if each.name != LOCK)):
                shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
            _write(made / self.config.name, experiment.to_yaml())
            _write(made / self.environment.name, _json([{"format": FORMAT, **environment}]))
            if sys.platform == "win32":
                held.close()
            if replace:
                path.rename(old)
            try:
                if sys.platform == "win32" and path.is_dir():
                    path.rmdir()
                made.rename(path)  # also where an empty directory is
            except OSError as error:
                shutil.rmtree(made, ignore_errors=True)
                come = error.errno in (errno.ENOTEMPTY, errno.EEXIST)
                raise (in_use(self.path) if come else self._cannot_be_made(error)) from error
            shutil.rmtree(old, ignore_errors=True)
            if sys.platform == "win32":
                held.enter_context(claimed(self.path, stays=True))
            yield

    def _cannot_be_made(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(f"{self.path} cannot be made: {error.strerror}; choose another directory (out).")

    def _written_by_a_run(self, name: str) -> bool:
        tables = {f"{metric.name}.{ending}" for metric in (ACCURACY, ERROR) for ending in ("csv", "png")}
        files = {path.name for path in vars(self).values() if path != self.path}
        # A killed run may leave behind a file it was writing aside, and an analysis the one it has locked.
        return name in files | tables or (name.startswith(".") and name.endswith((".tmp", LOCK)))

    def _environments(self) -> list[Any]:
        try:
            return list(json.loads(read_regular(self.environment, _LARGEST_ENVIRONMENT, within=self.path)))
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigurationError(f"{self.environment} is damaged: it must hold a JSON list.") from error

    def write_columns(self, columns: Sequence[str]) -> None:
        """Write columns.json: names of the columns of a table that are inputs, in the order that is learned."""
        _write(self.columns, json.dumps(columns, ensure_ascii=False))

    def read_columns(self) -> list[str]:
        """Read what :meth:`write_columns` wrote; nothing where no table was learned.

        Raises:
            ConfigurationError: It is damaged.
        """
        if not self.columns.exists():
            return []
        try:
            return _Names.validate_json(read_regular(self.columns, _LARGEST_COLUMNS, within=self.path))
        except ValidationError as error:
            raise ConfigurationError(f"{self.columns} is damaged: it must hold names of columns.") from error

    def write_matrix(self, matrix: np.ndarray, tasks: Sequence[str], metric: Metric) -> None:
        """Write accuracy.csv, or error.csv.

        Args:
            matrix: Test accuracies in [0, 1], or errors, `[learned, tasks]`; NaN (not measured) becomes an empty cell.
            tasks: The tasks' names.
            metric: Name of the metric.
        """
        cells = [["" if np.isnan(value) else repr(float(value)) for value in row] for row in matrix]
        _write_csv(
            self.matrix(metric), [["after", *tasks], *([name, *row] for name, row in zip(tasks, cells, strict=False))]
        )

    def write_task_inference(self, counts: Sequence[Sequence[int]], tasks: Sequence[str]) -> None:
        """Write task_inference.csv: for each task so far, how many of its inputs were taken for which one."""
        known = tasks[: len(counts)]
        _write_csv(self.task_inference, [["task", *known], *([n, *row] for n, row in zip(known, counts, strict=True))])

    def write_replay(self, early: Sequence[Tensor], late: Sequence[Tensor]) -> None:
        """Write replay.safetensors: inputs of each task so far, as they were right after it and as they are now."""
        write_state(self.replay, {"early": list(early), "late": list(late)})

    def read_replay(self) -> tuple[list[Tensor], list[Tensor]] | None:
        """Read what :meth:`write_replay` wrote: early and late inputs of each task; None without replay."""
        if not self.replay.exists():
            return None
        saved = read_state(self.replay)
        return saved["early"], saved["late"]

    def write_timing(self, rows: Sequence[tuple[str, int, float, float]]) -> None:
        """Write timing.csv: name, iterations, seconds of learning, seconds of evaluation for each task."""
        head = ["task", "iterations", "learning_seconds", "evaluation_seconds"]
        _write_csv(self.timing, [head, *([n, i, f"{a:.3f}", f"{b:.3f}"] for n, i, a, b in rows)])

    def matrix(self, metric: Metric) -> Path:
        """Read what :meth:`write_matrix` wrote."""
        return self.path / f"{metric.name}.csv"

    def matrix_picture(self, metric: Metric) -> Path:
        """A picture of it."""
        return self.path / f"{metric.name}.png"

    def write_picture(self, path: Path, png: bytes) -> None:
        """Write one of the pictures."""
        write_atomically(path, png)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json."""
        _write(self.summary, _json(summary))


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode())


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def _write_csv(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    _write(path, text.getvalue())
