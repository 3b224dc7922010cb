"""How a learner answers: for tasks that are known or inferred, one for all inputs or one for each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hypermnesia.criteria import CrossEntropy
from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import ConfigurationError, DataError, HypermnesiaError
from hypermnesia.inputs import Inputs, Shape, may_be, shape_of, show_shape
from hypermnesia.learners.chosen_tasks import TaskChoice, chosen_tasks, number_of
from hypermnesia.learners.prediction import LearnedTask, Prediction
from hypermnesia.learners.scoring import score
from hypermnesia.learners.state import LearnerState
from hypermnesia.tasks.scenario import SCENARIOS, Scenario
from hypermnesia.tasks.task import Source, Task
from hypermnesia.training.device import made_on_the_cpu
from hypermnesia.training.kept import KeptNetworks
from hypermnesia.training.turn import in_turn


@runtime_checkable
class NetworksOfTasks(Protocol):
    """A part of a learner that has a network for each task, and keeps those that were asked for."""

    @property
    def kept(self) -> KeptNetworks:
        """Networks that are kept for the next answer."""

    def network_of(self, task: int) -> nn.Module:
        """Return the network of a task in evaluation mode; nobody may change it."""

    def answer(self, task: int, inputs: Inputs) -> Tensor:
        """Return what the network of a task puts out in use."""


class Answering(LearnerState):
    """Base class of learners: what they answer.

    Attributes:
        needs_one_shape: Whether all inputs must have the same shape, because those of several tasks come together or
            are imitated. Others take every shape that the module takes.
    """

    needs_one_shape: ClassVar[bool] = False

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Scenarios in which it answers. Where no input is of one class, there is no class scenario."""
        return SCENARIOS if self._one_class_each else ("task", "domain")

    def can_infer(self, outputs: Sequence[int]) -> bool:
        """Whether it can infer which task an input is of.

        Args:
            outputs: Number of outputs of each task.
        """
        return True

    @property
    def input_shape(self) -> Shape | None:
        """Shape of one input of the first task, or of each of its parts by name; None before it."""
        return self._input_shape

    @property
    def answer_cache_bytes(self) -> int:
        """Bytes of the networks that are kept for the next answers, at most 256 MiB a part of the learner.

        Learning, loading and forgetting drop them; no file holds them.
        """
        there = [number for number, task in enumerate(self._known()) if not task.forgotten]
        parts = {id(part): part for part, _ in map(self.networks_with, there)}
        return sum(part.kept.num_bytes for part in parts.values())

    @made_on_the_cpu
    @in_turn
    def predict(self, inputs: Any, task: TaskChoice = None) -> Prediction:
        """Answer for inputs.

        Args:
            inputs: Tensor, NumPy array or nested list, `[inputs, ...]`, or dictionary or tuple of such or graphs, of
                the kind that was learned: gray levels (uint8) are scaled as they were, floating-point numbers and
                integers get the type that they had.
            task: Number of the task that they belong to, in the order of learning, from 0; or its name. Or one for each
                input: a tensor, an array or a list of numbers or names. The task being learned counts too. None where
                nobody knows: it is inferred, for each input by itself.

        Raises:
            ConfigurationError: There is no such task, or the learner cannot do without it.
            DataError: The inputs have another shape than those learned from, are of a kind that cannot mean the same,
                or are more or fewer than the tasks.
        """
        known = self._known()
        if all(each.forgotten for each in known):
            raise ConfigurationError("there is nothing to predict yet: learn a task first")
        if task is None and self.scenarios == ("task",):
            raise ConfigurationError(
                "this learner answers only where the task is known (the task-incremental scenario): say which task the"
                " inputs belong to, as in predict(inputs, task=0)"
            )
        assert self.input_kind is not None
        inputs = self.input_kind.of(inputs)
        chosen = chosen_tasks(task, known, 0 if isinstance(inputs, Tensor) and not inputs.ndim else len(inputs))
        if shape_of(inputs) == self._input_shape:
            answer = self._answer_for(inputs.to(self.device), chosen)
        else:
            answer = self._predict_other(inputs, chosen)
        answer.criterion, answer.tasks = self.criterion, tuple(known)
        return answer

    def _answer_for(self, inputs: Inputs, task: int | list[int] | None) -> Prediction:
        return self._predict_each(inputs, task) if isinstance(task, list) else self._predict(inputs, task)

    def _predict_other(self, inputs: Inputs, task: int | list[int] | None) -> Prediction:
        """Answer for inputs of another shape than those learned from, such as longer sequences."""
        shape = shape_of(inputs)
        wrong = (
            f"inputs must have shape {show_shape(self._input_shape, 'n')} as in learning, not {show_shape(shape, 'n')}"
        )
        if isinstance(inputs, Tensor) and inputs.shape == self._input_shape:
            raise DataError(f"{wrong}: give a single input as a batch of one, inputs[None]")
        if not self._may_have(shape):
            raise DataError(wrong)
        try:
            return self._answer_for(inputs.to(self.device), task)
        except HypermnesiaError:
            raise
        except Exception as error:  # whatever the module raises
            raise DataError(f"{wrong}; the module does not take these ({error})") from error

    def _predict_each(self, inputs: Inputs, tasks: list[int]) -> Prediction:
        """Answer for each input by its own task; outputs that its task does not have are impossible, or no number."""
        if not tasks:
            first = next(number for number, each in enumerate(self._known()) if not each.forgotten)
            return self._predict(inputs, first)
        numbers = torch.tensor(tasks, device=inputs.device)
        answers = []
        for number in sorted(set(tasks)):
            of_task = (numbers == number).nonzero()[:, 0]
            answers.append((of_task, self._predict(inputs[of_task], number).outputs))
        width = max(outputs.shape[1] for _, outputs in answers)
        filler = -torch.inf if isinstance(self.criterion, CrossEntropy) else torch.nan
        together = answers[0][1].new_full((len(inputs), width, *answers[0][1].shape[2:]), filler)
        for of_task, outputs in answers:
            together[of_task, : outputs.shape[1]] = outputs
        return Prediction(together, numbers)

    def _known(self) -> list[LearnedTask]:
        """Tasks that can be asked for, the one being learned included; the place of each is its number."""
        new = self._current is not None and self._current.number == len(self._learned)
        return [*self._learned, *([self._current.task] if self._current is not None and new else [])]

    @in_turn
    def network(self, task: int | str) -> nn.Module:
        """Make a network that answers as :meth:`predict` does for one task, and needs the learner no longer.

        It is of the module's own class, with the task's weights and statistics, in evaluation mode; so its `state_dict`
        fits every module of the same architecture. Networks of learners whose head grows have the task's outputs.
        Inputs go in as they are: where gray levels (uint8) were learned, give them divided by 255.

        Args:
            task: Number of the task, in the order of learning, from 0; or its name.

        Raises:
            ConfigurationError: There is no such task, or no network that has its outputs alone.

        Example:
            >>> import hypermnesia as hm
            >>> learner = hm.HypernetworkLearner(nn.Linear(2, 2), chunk_size=3, training={"iterations": 5})
            >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
            >>> torch.equal(learner.network(0)(torch.eye(2)), learner.predict(torch.eye(2), task=0).outputs)
            True
        """
        networks, number = self.networks_with(number_of(task, self._known()))
        return detached_copy(networks.network_of(number))

    def score(self, source: Task | Source, task: int | str | None = None, *, scenario: Scenario | None = None) -> float:
        """Metric on a learned task, by default the fraction answered correctly, from 0 to 1, or the mean squared error.

        Args:
            source: Task whose test examples are asked, or examples, of any kind that :meth:`learn` takes.
            task: Number or name of the learned task; None for the one that has the name of `source`.
            scenario: What is known and asked; None for the first scenario in which the learner answers.

        Raises:
            ConfigurationError: There is no such task, or the learner does not answer in the scenario.
            DataError: The task has no test examples.

        Example:
            >>> import hypermnesia as hm
            >>> training = {"iterations": 100, "learning_rate": 0.1}
            >>> learner = hm.HypernetworkLearner(nn.Linear(2, 2), chunk_size=3, training=training)
            >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
            >>> learner.score((torch.eye(2), torch.tensor([0, 1])), task=0)
            1.0
        """
        given = Task.of(source)
        examples = given.test if isinstance(source, Task) else given.train
        if examples is None:
            raise DataError(
                f"task '{given.name}' has no test examples: give some, as in score((inputs, labels), task=0)"
            )
        number = number_of(given.name if task is None else task, self._learned)
        learned = self._learned[number]
        if given.classes not in (None, learned.classes):
            raise DataError(
                f"these are no examples of task '{learned.name}', whose classes are {', '.join(learned.classes or ())}"
                f" (those of the examples: {', '.join(given.classes or ())})"
            )
        scenario = scenario or self.scenarios[0]
        return score(self, examples, number, (scenario,)).value[scenario]

    def replay(self, task: int, number: int) -> Float[Tensor, "number *shape"] | None:
        """Inputs of a task as it is remembered, made from the same noise each time; None if the learner replays none.

        Args:
            task: Number of a learned task.
            number: How many inputs.
        """
        return None

    def _predict(self, inputs: Inputs, task: int | None) -> Prediction:
        """Answer for inputs that fit, on the learner's device."""
        if task is None:
            return self._infer(inputs)
        networks, number = self.networks_with(task)
        return Prediction(networks.answer(number, inputs), task)

    @abstractmethod
    def networks_with(self, task: int) -> tuple[NetworksOfTasks, int]:
        """Return the part that has the network of a task, and the number of the task there."""

    @abstractmethod
    def _infer(self, inputs: Inputs) -> Prediction:
        """Answer for inputs whose task nobody says."""

    def _may_have(self, shape: Shape) -> bool:
        """Whether inputs may have another shape than the first ones, if the module takes them."""
        return not self.needs_one_shape and self._input_shape is not None and may_be(shape, self._input_shape)
