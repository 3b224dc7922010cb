"""A run: an experiment carried out in a run directory, from the beginning or from where it was interrupted."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from hypermnesia import parallel
from hypermnesia.errors import CheckpointError, StopLearning
from hypermnesia.evaluation.progress import ProgressDisplay
from hypermnesia.evaluation.sequence import Observer, Scores, learn_and_evaluate
from hypermnesia.experiments.settings.build import build_learner, fitting, input_columns, outputs_of
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.environment import environment, threads
from hypermnesia.experiments.single_run.records import Position, Records
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.same_data import check_same_data
from hypermnesia.experiments.single_run.stopwatch import Stopwatch
from hypermnesia.experiments.single_run.summary import RunState, Summary
from hypermnesia.experiments.single_run.trackers import Trackers, check_trackers
from hypermnesia.learners import ContinualLearner
from hypermnesia.tasks import Task
from hypermnesia.training.checkpoint import Checkpoints, state_of_first
from hypermnesia.training.monitor import Progress
from hypermnesia.training.trainer import check_finite

_REPLAYED = 10  # inputs of each task that are written down


class RunStopped(StopLearning):
    """A run was asked to stop, and has saved what it needs to go on."""


def run(
    experiment: Experiment,
    tasks: Sequence[Task],
    directory: RunDirectory,
    *,
    display: ProgressDisplay,
    stop: Callable[[], bool] = lambda: False,
    resume: bool = False,
    overwrite: bool = False,
    finished: Callable[[Summary], None] = lambda summary: None,
) -> Summary | None:
    """Learn the tasks one after another, measure how well they are answered after each, and write everything down.

    On one machine the same experiment gives the same measurements, byte for byte, however often the run was
    interrupted or killed and resumed; only the times differ. Of several ranks (`hypermnesia.parallel`), which all call
    this, the first one reads and writes the directory, and the others learn and measure with it.

    Args:
        experiment: What to do.
        tasks: Made by `build_tasks(experiment)`.
        directory: Already checked by `RunDirectory.check`.
        display: Shows what happens.
        stop: Asked after every step and evaluation; True ends the run as soon as it is saved.
        resume: Go on with what `directory` holds, if anything.
        overwrite: Replace the run that `directory` holds, if any.
        finished: Called with what was found, while no other process may write into the directory.

    Returns:
        What was found; None on another rank than the first.

    Raises:
        RunStopped: `stop` said so, on whichever rank.
        DivergenceError: The loss is not finite; what was saved before remains.
        CheckpointError: What `directory` holds cannot be continued, or the directory has gone.
        ConfigurationError: `directory` holds a run that is neither resumed nor replaced, or another process writes
            into it.
        OSError: A file could not be written; what was saved before remains.
    """
    check_trackers([experiment])
    with threads(experiment.threads):
        learner = build_learner(experiment, tasks)
        if not directory.is_run():
            with fitting(experiment):  # what cannot be learned leaves no directory behind
                learner.check(tasks[0])
        if parallel.rank() > 0:
            saved = state_of_first(None)
            learner.load_state_dict(saved["learner"])
            learner.recall(tasks[: learner.num_tasks])
            _learn(experiment, tasks, learner, _FurtherRank(experiment, stop), saved["rows"])
            return None
        where = environment(learner.device)
        with directory.opened(experiment, where, resume=resume, overwrite=overwrite) as resumed:
            check_same_data(directory, experiment, tasks)
            if not directory.columns.exists() and (columns := input_columns(experiment)):
                directory.write_columns(columns)
            try:
                summary = _Run(experiment, tasks, learner, directory, display, stop, resumed).complete()
                finished(summary)
            except (OSError, CheckpointError) as error:
                if directory.is_run():
                    raise
                raise CheckpointError(
                    f"{directory.path} was deleted or moved while the run went on. What was saved in it has gone with"
                    " it: move it back and resume the run, or start it again."
                ) from error
            return summary


def _learn(
    experiment: Experiment, tasks: Sequence[Task], learner: ContinualLearner, observer: Observer, rows: int
) -> None:
    """Learn and evaluate what is left after so many rows of the accuracy matrix."""
    evaluation = experiment.evaluation
    infers = learner.can_infer(list(map(outputs_of, tasks)))
    learn_and_evaluate(
        learner,
        tasks,
        [experiment.scenario],
        observer,
        first=rows,
        only_newest=evaluation.tasks != "all",
        at_end=learner.scenarios if evaluation.every_scenario and infers else (),
    )


def _make_an_optimizer() -> None:
    """With the first one PyTorch imports its compiler, which takes seconds and is no learning."""
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=0.1)


def _is_recorded(progress: Progress, experiment: Experiment) -> bool:
    """Whether the figures of a step are written down."""
    return progress.iteration in (1, progress.iterations) or progress.iteration % experiment.recording.log_every == 0


class _FurtherRank(Observer):
    """A rank beside the first one of a run, which stops when any of them is to stop."""

    def __init__(self, experiment: Experiment, stop: Callable[[], bool]) -> None:
        self.experiment, self.stop = experiment, stop

    def learning(self, task: int, progress: Progress) -> None:
        if _is_recorded(progress, self.experiment):
            check_finite(progress.scalars, progress.iteration)  # as the first rank does
        if parallel.any_of(self.stop()):
            raise RunStopped


class _Run(Observer):
    """A run while it is carried out: writes down what it observes."""

    def __init__(
        self,
        experiment: Experiment,
        tasks: Sequence[Task],
        learner: ContinualLearner,
        directory: RunDirectory,
        display: ProgressDisplay,
        stop: Callable[[], bool],
        resumed: bool,
    ) -> None:
        self.experiment, self.tasks, self.learner = experiment, tasks, learner
        self.directory, self.display, self.stop = directory, display, stop
        self.metric = experiment.metric
        self.state = RunState([task.name for task in tasks])
        self.checkpoints = Checkpoints(directory.checkpoint)
        self.iteration = 0  # steps made in the task that is being learned
        self.saved, self.watch = time.perf_counter(), Stopwatch()
        position = self._restore() if resumed else Position()
        self.records = Records(directory.metrics, position)
        self.trackers = Trackers(experiment, directory, self.step)

    def _restore(self) -> Position:
        """Go back to the newest checkpoint; returns where metrics.jsonl ended then."""
        saved, messages = self.checkpoints.latest()
        for message in messages:
            self.display.note(message)
        if saved is None:
            self.display.note("No checkpoint was written before the run ended; starting from the beginning.")
            return Position()
        try:
            self.learner.load_state_dict(saved["learner"])
            self.state = RunState.of_dict(saved["run"], [task.name for task in self.tasks])
            position = Position(saved["position"]["length"], saved["position"]["sha256"])
        except (KeyError, TypeError, CheckpointError) as error:
            raise CheckpointError(
                f"{self.directory.checkpoint} cannot be continued: it was written by another version of hypermnesia, or"
                f" changed ({error}). Finish the run with that version, or start again (overwrite)."
            ) from error
        self.learner.recall(self.tasks[: self.learner.num_tasks])
        self.iteration = self.learner.in_progress or 0
        self._write_tables()
        self.display.resumed(len(self.state.rows), len(self.tasks), self.step)
        return position

    @property
    def step(self) -> int:
        """Steps made in all tasks."""
        return sum(self.state.iterations) + self.iteration

    def complete(self) -> Summary:
        rows = len(self.state.rows)
        if parallel.size() > 1:
            state_of_first({"learner": self.learner.state_dict(), "rows": rows})
        try:
            if rows < len(self.tasks):
                _make_an_optimizer()
            with self.watch:
                self.watch.lap()
                _learn(self.experiment, self.tasks, self.learner, self, rows)
            summary = self._finish()
        except BaseException:
            self._close(finished=False)
            raise
        self._close(finished=True)
        return summary

    def _close(self, *, finished: bool) -> None:
        try:
            self.records.close()
        finally:
            self.trackers.close(finished=finished)

    def learning(self, task: int, progress: Progress) -> None:
        self.watch.look()
        if len(self.state.learning_seconds) == task:
            self.state.learning_seconds.append(0.0)
        self.iteration = progress.iteration
        self.display.learning(task, progress)
        if _is_recorded(progress, self.experiment):
            self._record_step(task, progress)
        if parallel.any_of(self.stop()):
            self._tick()
            self._save()
            raise RunStopped
        if time.perf_counter() - self.saved >= self.experiment.recording.checkpoint_every:
            self._tick()
            self._save()

    def _record_step(self, task: int, progress: Progress) -> None:
        scalars = check_finite(progress.scalars, progress.iteration)
        self.records.add(kind="step", step=self.step, task=task, iteration=progress.iteration, **scalars)
        self.trackers.add({f"learning/{name}": value for name, value in scalars.items()}, self.step)

    def learned(self, task: int) -> None:
        """Close the task's account, unless that was done before an interruption, and keep the learner if wanted.

        Done before the checkpoint that counts the task as evaluated is written: so a resumed run misses none.
        """
        if len(self.state.iterations) == task:
            self._tick()
            self.state.iterations.append(self.iteration)
            self.iteration = 0
        if self.experiment.recording.keep_learners:
            self.directory.learners.mkdir(exist_ok=True)
            self.learner.save(self.directory.learner_after(self.learner.num_tasks))
        self.watch.lap()

    def evaluating(self, after: int, task: int) -> None:
        # Of several ranks none leaves the others while they measure.
        if parallel.size() == 1 and self.stop():
            self._save()
            raise RunStopped
        self.watch.look()
        self.display.evaluating(after, task)

    def evaluated(self, after: int, scores: Scores) -> None:
        """Write down how well tasks are answered after one; nothing is before all of it is there."""
        scenario = self.experiment.scenario
        for task, splits in scores.items():
            values = {f"{split}_{self.metric.name}": found.value[scenario] for split, found in splits.items()}
            self.records.add(kind="evaluation", step=self.step, after=after, task=task, **values)
            self.trackers.add({f"{name}/{task:03d}": value for name, value in values.items()}, self.step)
        tests = {task: splits["test"] for task, splits in scores.items()}
        row = [tests[task].value[scenario] if task in tests else None for task in range(len(self.tasks))]
        self.state.rows.append(row)
        self.state.memory_bytes.append(self.learner.memory_bytes)
        if after == len(self.tasks) - 1:
            self.state.averages = {
                name: float(np.mean([found.value[name] for found in tests.values()])) for name in tests[after].value
            }
        inferred = [found.inferred for found in tests.values() if found.inferred is not None]
        self.state.inferred = inferred if len(tests) == after + 1 and inferred else None
        self.state.evaluation_seconds.append(self.watch.lap())
        self._write_tables()
        self.display.evaluated(after, row)
        self._keep_replay(after)
        self._save()
        self.watch.lap()

    def _keep_replay(self, after: int) -> None:
        """Write down what the newest task's inputs are remembered as, and what has become of the others'."""
        remembered = [self.learner.replay(task, _REPLAYED) for task in range(after + 1)]
        late = [
            task.train.as_stored(inputs.cpu())
            for task, inputs in zip(self.tasks[: after + 1], remembered, strict=True)
            if inputs is not None
        ]
        if late:
            self.state.early_replay.append(late[-1])
            self.directory.write_replay(self.state.early_replay, late)

    def _save(self) -> None:
        """Write a checkpoint, after everything it relies on is safely on the disk."""
        self.trackers.flush()
        position = dataclasses.asdict(self.records.sync())
        state = {"learner": self.learner.state_dict(), "run": self.state.as_dict(), "position": position}
        self.checkpoints.save(self.step, state)
        self.saved = time.perf_counter()

    def _tick(self) -> None:
        """Add the time since the last tick to that of the task being learned."""
        self.state.learning_seconds[-1] += self.watch.lap()

    def _write_tables(self) -> None:
        self.directory.write_matrix(self.state.matrix(), self.state.tasks, self.metric)
        if self.state.inferred is not None:
            self.directory.write_task_inference(self.state.inferred, self.state.tasks)
        state = self.state
        times = (state.iterations, state.learning_seconds, state.evaluation_seconds)
        self.directory.write_timing(list(zip(state.tasks, *times, strict=False)))

    def _finish(self) -> Summary:
        self.learner.save(self.directory.learner)
        summary = Summary(
            self.experiment,
            self.state,
            self.metric,
            str(self.directory.path),
            np.array([1 / (task.num_outputs or 1) for task in self.tasks]),
            self.learner.compression,
            self.learner.num_weights,
        )
        self.trackers.summarize(summary.as_dict())
        self.directory.write_summary(summary.as_dict())
        return summary
