"""A run: an experiment carried out in a run directory, from the beginning or from where it was interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from hypermnesia.errors import CheckpointError
from hypermnesia.experiments.settings.build import build_learner
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.experiments.single_run.environment import environment
from hypermnesia.experiments.single_run.observer import Observer
from hypermnesia.experiments.single_run.records import Records
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.state import RunState
from hypermnesia.experiments.single_run.summary import Summary, summarize
from hypermnesia.experiments.single_run.tensorboard import TensorBoard
from hypermnesia.experiments.single_run.threads import threads
from hypermnesia.learners import ContinualLearner, Score, score
from hypermnesia.tasks import Scenario, Task
from hypermnesia.training.checkpoint import Checkpoints
from hypermnesia.training.monitor import Progress
from hypermnesia.training.trainer import check_finite

_REPLAYED = 10  # inputs of each task that are written down


class RunStopped(Exception):  # noqa: N818 - how a run ended, not what went wrong
    """A run was asked to stop, and has saved what it needs to go on."""


def run(
    experiment: Experiment,
    tasks: Sequence[Task],
    directory: RunDirectory,
    *,
    observer: Observer,
    stop: Callable[[], bool] = lambda: False,
    resume: bool = False,
) -> Summary:
    """Learn the tasks one after another, measure how well they are answered after each, and write everything down.

    On one machine the same experiment gives the same measurements, byte for byte, however often the run was
    interrupted or killed and resumed; only the times differ.

    Args:
        experiment: What to do.
        tasks: Made by `build_tasks(experiment)`.
        directory: Already checked by `RunDirectory.check`.
        observer: Is told what happens.
        stop: Asked after every step and evaluation; True ends the run as soon as it is saved.
        resume: Go on with what `directory` holds, if anything.

    Raises:
        RunStopped: `stop` said so.
        DivergenceError: The loss is not finite; what was saved before remains.
        CheckpointError: What `directory` holds cannot be continued.
        ConfigurationError: Another process carries out the run in `directory`.
        OSError: A file could not be written; what was saved before remains.
    """
    with threads(experiment.threads):
        learner = build_learner(experiment, tasks)
        resumed = directory.open(experiment, environment(learner.device), resume=resume)
        with directory.claimed():
            return _Run(experiment, tasks, learner, directory, observer, stop, resumed).complete()


class _Run:
    def __init__(
        self,
        experiment: Experiment,
        tasks: Sequence[Task],
        learner: ContinualLearner,
        directory: RunDirectory,
        observer: Observer,
        stop: Callable[[], bool],
        resumed: bool,
    ) -> None:
        self.experiment, self.tasks, self.learner = experiment, tasks, learner
        self.directory, self.observer, self.stop = directory, observer, stop
        self.metric = tasks[0].problem.metric
        self.state = RunState([task.name for task in tasks])
        self.checkpoints = Checkpoints(directory.checkpoint)
        self.iteration = 0  # steps made in the task that is being learned
        self.saved = self.clock = time.perf_counter()
        position = self._restore() if resumed else 0
        self.records = Records(directory.metrics, position)
        self.tensorboard = TensorBoard(directory.tensorboard, self.step)

    def _restore(self) -> int:
        """Go back to the newest checkpoint; returns where metrics.jsonl ended then."""
        saved, messages = self.checkpoints.latest()
        for message in messages:
            self.observer.note(message)
        if saved is None:
            self.observer.note("No checkpoint was written before the run ended; starting from the beginning.")
            return 0
        try:
            self.learner.load_state_dict(saved["learner"])
            self.state = RunState(**saved["run"])
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{self.directory.checkpoint} was written by another version of hypermnesia, from which this one cannot"
                " go on: finish the run with that version, or start again with --overwrite."
            ) from error
        self.learner.recall(self.tasks[: self.learner.num_tasks])
        self.iteration = self.learner.in_progress or 0
        self._write_tables()
        self.observer.note(f"Resumed after {len(self.state.rows)} of {len(self.tasks)} tasks, at step {self.step}.")
        return int(saved["position"])

    @property
    def step(self) -> int:
        """Steps made in all tasks."""
        return sum(self.state.iterations) + self.iteration

    def complete(self) -> Summary:
        try:
            for task in range(len(self.state.rows), len(self.tasks)):
                if self.learner.num_tasks == task:
                    self._learn(task)
                if self.experiment.recording.keep_learners:
                    self._keep_learner()
                self._evaluate(task)
                self._keep_replay(task)
                self._save()
        finally:
            self.records.close()
            self.tensorboard.close()
        return self._finish()

    def _learn(self, task: int) -> None:
        if len(self.state.learning_seconds) == task:
            self.state.learning_seconds.append(0.0)
        self.clock = time.perf_counter()
        self.learner.learn(self.tasks[task], monitor=lambda progress: self._after_step(task, progress))
        self._tick()
        self.state.iterations.append(self.iteration)
        self.iteration = 0

    def _after_step(self, task: int, progress: Progress) -> None:
        self.iteration = progress.iteration
        self.observer.learning(task, progress)
        every = self.experiment.recording.log_every
        if progress.iteration in (1, progress.iterations) or progress.iteration % every == 0:
            self._record_step(task, progress)
        if self.stop():
            self._tick()
            self._save()
            raise RunStopped
        if time.perf_counter() - self.saved >= self.experiment.recording.checkpoint_every:
            self._tick()
            self._save()

    def _record_step(self, task: int, progress: Progress) -> None:
        scalars = check_finite(progress.scalars, progress.iteration)
        self.records.add(kind="step", step=self.step, task=task, iteration=progress.iteration, **scalars)
        for name, value in scalars.items():
            self.tensorboard.add(f"learning/{name}", value, self.step)

    def _evaluate(self, after: int) -> None:
        """Measure how well tasks are answered after one; nothing is written down before all of them are there."""
        start = time.perf_counter()
        last = after == len(self.tasks) - 1
        every = last or self.experiment.evaluation.tasks == "all"
        asked = range(after + 1) if every else [after]
        scenario = self.experiment.scenario
        scenarios = self.learner.scenarios if last and self.experiment.evaluation.every_scenario else (scenario,)
        measured = {task: self._score(after, task, scenarios) for task in asked}
        for task, splits in measured.items():
            values = {f"{split}_{self.metric.name}": found.value[scenario] for split, found in splits.items()}
            self.records.add(kind="evaluation", step=self.step, after=after, task=task, **values)
            for name, value in values.items():
                self.tensorboard.add(f"{name}/{task:03d}", value, self.step)
        tests = {task: splits["test"] for task, splits in measured.items()}
        row = [tests[task].value[scenario] if task in tests else None for task in range(len(self.tasks))]
        self.state.rows.append(row)
        self.state.memory_bytes.append(self.learner.memory_bytes)
        if last:
            self.state.averages = {
                name: float(np.mean([found.value[name] for found in tests.values()])) for name in scenarios
            }
        inferred = [found.inferred for found in tests.values() if found.inferred is not None]
        self.state.inferred = inferred if every and inferred else None
        self.state.evaluation_seconds.append(time.perf_counter() - start)
        self._write_tables()
        self.observer.evaluated(after, row)

    def _score(self, after: int, task: int, scenarios: Sequence[Scenario]) -> dict[str, Score]:
        if self.stop():
            self._save()
            raise RunStopped
        self.observer.evaluating(after, task)
        splits = {"test": self.tasks[task].test, "validation": self.tasks[task].validation}
        return {
            name: score(self.learner, examples, task, scenarios)
            for name, examples in splits.items()
            if examples is not None
        }

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

    def _keep_learner(self) -> None:
        """Write down the learner as it is after its newest task.

        Done before the checkpoint that counts the task as evaluated is written: so a resumed run misses none.
        """
        self.directory.learners.mkdir(exist_ok=True)
        self.learner.save(self.directory.learner_after(self.learner.num_tasks))

    def _save(self) -> None:
        """Write a checkpoint, after everything it relies on is safely on the disk."""
        self.tensorboard.flush()
        position = self.records.sync()
        self.checkpoints.save(
            self.step,
            {"learner": self.learner.state_dict(), "run": self.state.as_dict(), "position": position},
        )
        self.saved = time.perf_counter()

    def _tick(self) -> None:
        """Add the time since the last tick to that of the task being learned."""
        now = time.perf_counter()
        self.state.learning_seconds[-1] += now - self.clock
        self.clock = now

    def _write_tables(self) -> None:
        self.directory.write_matrix(self.state.matrix(), self.state.tasks, self.metric)
        if self.state.inferred is not None:
            self.directory.write_task_inference(self.state.inferred, self.state.tasks)
        state = self.state
        self.directory.write_timing(
            list(
                zip(
                    state.tasks,
                    state.iterations,
                    state.learning_seconds,
                    state.evaluation_seconds,
                    strict=False,
                )
            )
        )

    def _finish(self) -> Summary:
        self.learner.save(self.directory.learner)
        summary = summarize(
            self.experiment,
            self.state,
            self.metric,
            directory=str(self.directory.path),
            chance=np.array([1 / (task.num_outputs or 1) for task in self.tasks]),
            compression=self.learner.compression,
            num_weights=self.learner.num_weights,
        )
        self.directory.write_summary(summary.as_dict())
        return summary
