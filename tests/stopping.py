"""Stopping a learner in the middle of a task, as Ctrl-C would."""

from collections.abc import Callable

from hypermnesia.errors import StopLearning
from hypermnesia.training.monitor import Progress


class Stopped(StopLearning):
    """Raised by a monitor that wants to go on later."""


def stop_at(iteration: int) -> Callable[[Progress], None]:
    """A monitor that stops after that many iterations of a task."""

    def monitor(progress: Progress) -> None:
        if progress.iteration == iteration:
            raise Stopped

    return monitor
