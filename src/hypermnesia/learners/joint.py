"""Joint training: the upper bound of continual learning, with the data of all tasks at hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia.criteria import Criterion, CrossEntropy, MeanSquaredError
from hypermnesia.errors import ConfigurationError
from hypermnesia.inputs import Inputs, numbers_in
from hypermnesia.learners.in_progress import Way
from hypermnesia.learners.method import Method
from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.modules import answer
from hypermnesia.parallel import part_of_mean, share
from hypermnesia.standard import StandardNetwork
from hypermnesia.standard.network import IMPOSSIBLE
from hypermnesia.tasks.examples import Examples
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.union import UnionExamples
from hypermnesia.training.objective import Objective, Portion
from hypermnesia.training.part import Part
from hypermnesia.training.precision import forward_precision, single_or_double
from hypermnesia.training.settings import TrainingSettings


class JointLearner(StandardNetworkLearner):
    """One standard network that learns, with each task, the data of all tasks so far together; the upper bound.

    It needs the data of all tasks, and keeps references to them. A saved or checkpointed one comes without: give them
    back with :meth:`recall` before it learns on.

    Args:
        module, settings, scenario, criterion, metric, training, seed, device: As for :class:`StandardNetworkLearner`.

    Source: van de Ven and Tolias, Three scenarios for continual learning, 2019 ("offline").

    Example:
        >>> learner = JointLearner(nn.Linear(2, 1), training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    learns = (CrossEntropy, MeanSquaredError)
    needs_one_shape = True

    def recall(self, tasks: Sequence[Task]) -> None:
        """Give back the tasks it has learned, in that order, to a learner that was saved or restored."""
        self._data.tasks = tuple(map(self._prepared, tasks))

    def _tasks_at_hand(self) -> tuple[Task, ...]:
        return self._data.tasks

    @property
    def memory_bytes(self) -> int:
        """Bytes of weights, and of all examples as float32, a label being one number."""
        examples = sum(len(task.train) * (1 + numbers_in(task.train.input_shape)) for task in self._data.tasks)
        return super().memory_bytes + 4 * examples

    def _check(self, task: Task) -> int:
        outputs = super()._check(task)
        self._check_recalled()
        task.train.take(torch.tensor([0]))  # refuses where examples cannot be taken by number
        return outputs

    def _check_same(self, task: Task, way: Way, number: int) -> None:
        super()._check_same(task, way, number)
        self._check_recalled()

    @contextlib.contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        before = self._data.tasks  # which no state holds
        try:
            with super()._whole_or_not_at_all():
                yield
        except BaseException:
            self._data.tasks = before
            raise

    def _check_batches(self, task: Task, example: Inputs) -> None:
        """Nothing: batches are made of the examples of all tasks, whoever has made those of one."""

    def _check_recalled(self) -> None:
        if len(self._data.tasks) != self.num_tasks:
            raise ConfigurationError(
                f"joint training needs the data of all {self.num_tasks} tasks learned before, and a saved learner comes"
                " without them: give them back first, learner.recall(tasks)"
            )

    def _make_parts(self) -> dict[str, Part]:
        self._data = _Data()
        return {**super()._make_parts(), "data": self._data}

    def _examples(self, task: Task) -> Examples:
        outputs = self._standard.outputs
        places = [outputs.of_task(number) for number in range(self.num_tasks + 1)]
        return UnionExamples([each.train for each in (*self._data.tasks, task)], places, len(outputs))

    def _objective(self) -> Objective:
        return _UnionObjective(self._standard, self.training, self.criterion)


class _Data(Part):
    """The tasks that were learned, which no state holds."""

    tasks: tuple[Task, ...] = ()

    def end_task(self, task: Task) -> None:
        self.tasks = (*self.tasks, task)

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Data have to be given back."""


class _UnionObjective(Objective):
    """The loss on examples of any task, whose labels are as `UnionExamples` has them."""

    def __init__(self, standard: StandardNetwork, training: TrainingSettings, criterion: Criterion) -> None:
        network, outputs = standard.network, standard.outputs
        self._standard = network
        self._network: nn.Module = cast(nn.Module, torch.compile(network)) if training.compile else network
        self._precision = training.precision
        self._criterion = criterion
        smoothing = criterion.label_smoothing if isinstance(criterion, CrossEntropy) else 0.0
        # For each output, which others its task chooses between.
        competing = torch.zeros(len(outputs), len(outputs), dtype=torch.bool)
        for task in range(len(outputs.classes)):
            competing[outputs.of_task(task), outputs.competing(task)] = True
        self._competing = competing.to(standard.device)
        spread = competing / competing.sum(1, keepdim=True)
        self._targets = ((1 - smoothing) * torch.eye(len(outputs)) + smoothing * spread).to(standard.device)

    def named_parameters(self) -> dict[str, nn.Parameter]:
        return {name.removeprefix("module."): parameter for name, parameter in self._standard.named_parameters()}

    def statistics(self) -> list[Tensor]:
        return list(self._standard.buffers())

    def prepare(self, iteration: int) -> None:
        """Nothing is left to chance."""

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        own = share(labels)
        with forward_precision(self._precision, inputs.device):
            outputs = single_or_double(answer(self._network, share(inputs)))
        if isinstance(self._criterion, MeanSquaredError):
            # Where nothing is asked, the answer is right whatever it is.
            error = torch.where(own.isnan(), 0.0, outputs - own.nan_to_num().to(outputs.dtype))
            merit = loss = error.square().sum() / (~labels.isnan()).sum()
        else:
            outputs = torch.where(self._competing[own], outputs, IMPOSSIBLE)
            loss = part_of_mean(functional.cross_entropy(outputs, self._targets[own].to(outputs.dtype)), len(labels))
            right = self._criterion.merit(outputs, own)
            assert right is not None
            merit = right.sum() / len(labels)
        portion.loss(loss).backward()
        return {"loss": loss, self._criterion.metric: merit}


METHODS = (Method("joint", "joint", JointLearner),)
