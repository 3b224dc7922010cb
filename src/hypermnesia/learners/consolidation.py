"""Holding weights where old tasks left them, whichever network they belong to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.problems import BOTH
from hypermnesia.regularizers import Penalty
from hypermnesia.standard import StandardObjective
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.task import Task
from hypermnesia.training.trainer import Objective

Answers = Callable[[dict[str, Tensor], Tensor], Tensor]
"""From weights by name, and inputs, to the outputs that an input of the task chooses between, `[n, outputs]`."""


class Consolidation(ABC):
    """Remembers which weights matter to old tasks, and holds these."""

    @abstractmethod
    def begin_task(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """A task is going to be learned with these weights."""

    @abstractmethod
    def penalty(self) -> Penalty | None:
        """What holds the weights while the task that was begun is learned; None where nothing does."""

    @abstractmethod
    def end_task(
        self, parameters: Mapping[str, nn.Parameter], answers: Answers, examples: Examples, first_label: int
    ) -> None:
        """The task has been learned.

        Args:
            parameters: The weights, as it leaves them.
            answers: The network as a function of them, in evaluation mode.
            examples: Of the task.
            first_label: Place of the task's first class among the logits.
        """

    @abstractmethod
    def abandon_task(self) -> None:
        """The task that was begun is undone."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All of it, also amid a task: nested dicts of tensors and plain values."""

    @abstractmethod
    def load_state(self, state: dict[str, Any], parameters: Mapping[str, nn.Parameter]) -> None:
        """Take over what :meth:`state` gave, for these weights."""


class ConsolidatedLearner(StandardNetworkLearner):
    """A standard network whose weights are held; its subclasses differ in how."""

    problems = BOTH
    _consolidation: Consolidation

    def _begin_task(self, task: Task) -> None:
        super()._begin_task(task)
        self._consolidation.begin_task(self._standard.trained)

    def _objective(self) -> Objective:
        return StandardObjective(self._standard, self.training, self.problem, penalty=self._consolidation.penalty())

    def _end_task(self, task: Task) -> None:
        network, outputs, number = self._standard.network, self._standard.outputs, self.num_tasks
        competing, own = outputs.competing(number), outputs.of_task(number)

        def answers(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
            logits: Tensor = functional_call(network, parameters, (inputs,))
            return logits[:, competing]

        network.eval()
        self._consolidation.end_task(self._standard.trained, answers, task.train, own.start - competing.start)
        super()._end_task(task)

    def _abandon_task(self) -> None:
        super()._abandon_task()
        self._consolidation.abandon_task()

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "consolidation": self._consolidation.state()}

    def _load_state(self, state: dict[str, Any]) -> None:
        super()._load_state(state)
        self._consolidation.load_state(state["consolidation"], self._standard.trained)
