"""Progress of a run, on a terminal or in a log."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
from rich.table import Column

from hypermnesia.criteria import Metric
from hypermnesia.evaluation.bars import Bars, Words
from hypermnesia.tasks.task import Task
from hypermnesia.training.monitor import Progress
from hypermnesia.training.settings import TrainingSettings

_RESUMED = re.compile(r"Resumed after .*, ([\d.]+) % of all\.")
_LINE = re.compile(r"task (\d+)/(\d+) \(.*?\)(?:, ([\d.]+) % of all)?: (?:iteration (\d+)/(\d+))?")


def steps_of(tasks: Sequence[Task], training: TrainingSettings) -> list[int]:
    """How many steps each task takes."""
    if training.iterations is not None:  # whatever their examples, which some would have to read in order to count
        return [training.iterations] * len(tasks)
    return [training.total_iterations(task.train.steps_per_epoch(training.batch_size)) for task in tasks]


def share_done(line: str) -> float | None:
    """How much of a run is done when it has printed this line; None where the line does not say.

    Example:
        >>> share_done("task 2/4 (digits 2/3): iteration 50/100  loss 0.1"), share_done("written")
        (0.375, None)
        >>> share_done("task 2/4 (digits 2/3): loss 0.1  accuracy 99.00 %  1.0 s  test accuracy 99.00 %")
        0.5
        >>> share_done("task 1/6 (cifar-10), 0.3 % of all: iteration 70/15680  loss 0.1")
        0.003
    """
    if not (found := _LINE.match(line)):
        return None
    task, tasks, percent, iteration, iterations = (float(number) if number else None for number in found.groups())
    if percent is not None:
        return percent / 100
    assert task and tasks
    return (task - 1 + (iteration / iterations if iteration is not None and iterations else 1)) / tasks


def share_before(line: str) -> float | None:
    """How much of a run was done when it was resumed, as this line says; None where it says nothing of that.

    Example:
        >>> share_before("Resumed after 1 of 5 tasks, at step 700, 35.0 % of all."), share_before("task 2/4: loss 0.1")
        (0.35, None)
    """
    return float(found[1]) / 100 if (found := _RESUMED.match(line)) else None


class ProgressDisplay:
    """Display of a run as it happens: a bar for the task being learned on a terminal, lines anywhere else.

    Args:
        console: Console to print on; whether it is a terminal decides.
        tasks: Names of the tasks.
        metric: Metric of the tasks.
        steps: Steps of each task. Where they differ, lines also say how much of all is done.
        quiet: Whether only notes are shown.
    """

    _BAR_SECONDS, _LINE_SECONDS = 0.2, 30.0

    def __init__(
        self, console: Console, tasks: Sequence[str], metric: Metric, steps: Sequence[int] = (), *, quiet: bool = False
    ) -> None:
        self._console, self._tasks, self._metric, self._steps, self._quiet = console, tasks, metric, steps, quiet
        self._bars = Bars(
            Words("{task.description}", console),
            BarColumn(bar_width=None),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            Words("{task.fields[figures]}", console, spared=True),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
            console=console,
            disable=quiet,
        )
        self._task: int | None = None
        self._figures = ""

    def __enter__(self) -> ProgressDisplay:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def resumed(self, after: int, tasks: int, step: int) -> None:
        """Say where a run goes on: after so many of all tasks, at a step of all tasks together."""
        self.note(f"Resumed after {after} of {tasks} tasks, at step {step}{self._share(step)}.")

    def learning(self, task: int, progress: Progress) -> None:
        """Move the bar, or print a line now and then."""
        if self._quiet:
            return
        now = time.perf_counter()
        if task != self._task:
            self._task, self._started, self._shown = task, now, now
            self._bar = self._bars.add_task(self._label(task), total=progress.iterations, figures="")
        last = progress.iteration == progress.iterations
        if not last and now - self._shown < (self._BAR_SECONDS if self._console.is_terminal else self._LINE_SECONDS):
            return
        self._shown = now
        # Reading the scalars waits for the device, hence not at every step.
        loss, value = (float(progress.scalars[name]) for name in ("loss", self._metric.name))
        self._figures = f"loss {loss:.4f}  {self._metric.name} {self._metric.show(value)}"
        self._bars.update(self._bar, completed=progress.iteration, figures=self._figures)
        if not last and not self._console.is_terminal:
            done = f"iteration {progress.iteration}/{progress.iterations}"
            self.note(f"{self._label(task)}{self._of_all(task, progress.iteration)}: {done}  {self._figures}")

    def evaluating(self, after: int, task: int) -> None:
        """Name the task being tested on the bar."""
        if self._task == after and not self._quiet:
            self._bars.update(self._bar, figures=f"testing on task {task + 1}/{after + 1}")

    def evaluated(self, after: int, row: Sequence[float | None]) -> None:
        """Print one line for the finished task."""
        if self._quiet:
            return
        line = f"{self._label(after)}{self._of_all(after + 1)}: "
        if self._task == after:
            line += f"{self._figures}  {time.perf_counter() - self._started:.1f} s  "
            self._bars.remove_task(self._bar)
        measured = [value for value in row if value is not None]
        show = self._metric.show
        line += f"test {self._metric.name} {show(measured[-1])}" if measured else "nothing to ask about"
        if len(measured) > 1:
            line += f", over {len(measured)} tasks {show(sum(measured) / len(measured))}"
        self.note(line)

    def _of_all(self, task: int, iteration: int = 0) -> str:
        return self._share(sum(self._steps[:task]) + iteration) if len(set(self._steps)) > 1 else ""

    def _share(self, step: int) -> str:
        """How much of all is done after a step; not all before it is."""
        if not (steps := sum(self._steps)):
            return ""
        return f", {min(1000, 1000 * step // steps) / 10} % of all"

    def _label(self, task: int) -> str:
        return f"task {task + 1}/{len(self._tasks)} ({self._tasks[task]})"
