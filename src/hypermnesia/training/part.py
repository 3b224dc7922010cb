"""Parts that learners are made of: each learns every task, and keeps what it has learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hypermnesia.arguments import whole_number
from hypermnesia.inputs import Shape
from hypermnesia.tasks.task import Task


class Part(ABC):
    """A part of a learner, such as a network, a replay model or a buffer.

    A learner begins a task with all of its parts in their order, and ends or abandons it in the reverse order. Where
    beginning, reopening, ending or forgetting a task fails, it loads the states of before into all parts: so these put
    new tensors in the place of old ones, and change none.
    """

    @property
    def num_weights(self) -> int:
        """Number of weights that are trained and kept, of all tasks together; 0 where it trains none."""
        return 0

    def begin_task(self, outputs: int, input_shape: Shape) -> None:  # noqa: B027 - some need nothing
        """Make room for one more task.

        Args:
            outputs: Number of classes of the task, or of regression targets.
            input_shape: Shape of one input.
        """

    @abstractmethod
    def end_task(self, task: Task) -> None:
        """Keep what was learned of the task."""

    def abandon_task(self) -> None:  # noqa: B027 - some have changed nothing
        """Return to the state before the task was begun, or before a learned one was reopened."""

    def reopen_task(self, task: int) -> None:
        """Go back to a task that was learned, to learn more of it; it is ended or abandoned as a new one is.

        Args:
            task: Number of the task.
        """
        raise NotImplementedError

    def forget_task(self, task: int) -> None:
        """Drop what belongs to a learned task alone; others keep their numbers.

        Args:
            task: Number of the task.
        """
        raise NotImplementedError

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """State of the part, also in the middle of a task: nested dicts and lists of tensors and JSON values."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state` returned.

        Raises:
            CheckpointError: The state belongs to a module of another architecture.
        """


class Parts(Part):
    """Several parts as one.

    Args:
        parts: Parts by name; the names become keys of the state.
    """

    def __init__(self, **parts: Part) -> None:
        self._parts = parts

    @property
    def num_weights(self) -> int:
        """Number of weights that are trained and kept, of all parts together."""
        return sum(part.num_weights for part in self._parts.values())

    def begin_task(self, outputs: int, input_shape: Shape) -> None:
        """Make room for one more task, in the order of the parts."""
        for part in self._parts.values():
            part.begin_task(outputs, input_shape)

    def end_task(self, task: Task) -> None:
        """Keep what was learned of the task, in the reverse order."""
        for part in reversed(self._parts.values()):
            part.end_task(task)

    def abandon_task(self) -> None:
        """Return to the state before the task was begun, in the reverse order."""
        for part in reversed(self._parts.values()):
            part.abandon_task()

    def reopen_task(self, task: int) -> None:
        """Go back to a task that was learned, in the order of the parts."""
        for part in self._parts.values():
            part.reopen_task(task)

    def forget_task(self, task: int) -> None:
        """Drop what belongs to a learned task alone, in the order of the parts."""
        for part in self._parts.values():
            part.forget_task(task)

    def state(self) -> dict[str, Any]:
        """State of each part by its name."""
        return {name: part.state() for name, part in self._parts.items()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state` returned, in the order of the parts."""
        for name, part in self._parts.items():
            part.load_state(state[name])


Made = TypeVar("Made", bound=Part)


class ShapedPart(Part, Generic[Made]):
    """A part that is made with the first task, when the shape of inputs is known.

    Args:
        make: Makes the part for a shape of one input.
    """

    def __init__(self, make: Callable[[tuple[int, ...]], Made]) -> None:
        self._make = make
        self._input_shape: Shape = ()
        self._made: Made | None = None
        self._num_tasks = 0

    @property
    def made(self) -> Made:
        """The part itself; exists from the first task on."""
        assert self._made is not None
        return self._made

    @property
    def num_weights(self) -> int:
        """Number of weights that are trained and kept; 0 before the first task."""
        return 0 if self._made is None else self._made.num_weights

    def begin_task(self, outputs: int, input_shape: Shape) -> None:
        """Make room for one more task."""
        if self._made is None:
            assert isinstance(input_shape, tuple)  # what imitates inputs has refused all others
            self._input_shape, self._made = input_shape, self._make(input_shape)
        self._made.begin_task(outputs, input_shape)

    def end_task(self, task: Task) -> None:
        """Keep what was learned of the task."""
        self.made.end_task(task)
        self._num_tasks += 1

    def reopen_task(self, task: int) -> None:
        """Go back to a task that was learned."""
        self.made.reopen_task(task)

    def forget_task(self, task: int) -> None:
        """Drop what belongs to a learned task alone."""
        self.made.forget_task(task)

    def abandon_task(self) -> None:
        """Return to the state before the task was begun; after a first one inputs may have another shape."""
        self.made.abandon_task()
        if self._num_tasks == 0:
            self._input_shape, self._made = (), None

    def state(self) -> dict[str, Any]:
        """State of the part, with the shape that it was made for."""
        made = None if self._made is None else self._made.state()
        return {"input_shape": list(self._input_shape), "num_tasks": self._num_tasks, "made": made}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state` returned."""
        self._input_shape, self._made = tuple(state["input_shape"]), None
        self._num_tasks = whole_number(state["num_tasks"], "num_tasks", 0)
        if state["made"] is not None:
            self._made = self._make(self._input_shape)
            self._made.load_state(state["made"])
