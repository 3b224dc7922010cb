"""What is asked of a task before it is learned, so that what cannot go well fails before anything has changed."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from inspect import isabstract
from typing import ClassVar

import torch
from torch import Tensor, nn

from hypermnesia import parallel
from hypermnesia.criteria import USUAL, Criterion, CrossEntropy, MeanSquaredError, Metric, OwnLoss, measure_of
from hypermnesia.errors import ConfigurationError, DataError, DivergenceError, HypermnesiaError
from hypermnesia.inputs import Inputs, Shape, show_shape
from hypermnesia.learners.answering import Answering
from hypermnesia.learners.first_check import (
    brief,
    check_in_training,
    check_last_batch,
    check_numbers,
    check_one_shape,
    check_outputs,
    check_shares,
    check_steps,
    explained,
    few_examples,
    few_of,
    unchanged,
)
from hypermnesia.learners.in_progress import Way
from hypermnesia.learners.label_check import asked_outputs, check_not_one_hot, check_targets, check_weights
from hypermnesia.learners.prediction import LearnedTask
from hypermnesia.learners.state import kinds_of
from hypermnesia.module_copies import twin_of
from hypermnesia.modules import answer_of, called
from hypermnesia.seeds import default_generators_kept
from hypermnesia.tasks.task import Task
from hypermnesia.training.monitor import Monitor
from hypermnesia.training.part import Parts


class Admission(Answering):
    """Base class of learners: which tasks they admit.

    Attributes:
        learns: Kinds of criteria that it can learn by.
        plain_labels_only: Whether each input must be of one class, all of which count alike, or have a row of numbers:
            targets of past tasks are made of them.
    """

    learns: ClassVar[tuple[type[Criterion], ...]] = (CrossEntropy,)
    plain_labels_only: ClassVar[bool] = True
    # Of a learner that is a rehearsal of another: the number of outputs of its tasks.
    _rehearsed: int | None = None
    _admitted: tuple[Task, int, int] | None = None  # task, number and outputs

    @abstractmethod
    def _learn(self, task: Task, monitor: Monitor | None, way: Way, number: int) -> None:
        """Learn a task, or go on with it where it is in progress."""

    def check(self, task: Task) -> None:
        """Refuse a task that cannot be learned next, as :meth:`learn` would; nothing changes.

        Raises:
            ConfigurationError: Settings do not fit the task.
            DataError: The task does not fit the module, or the earlier tasks.
        """
        self._admitted = (task, self.num_tasks, self._checked(task))

    def _checked(self, task: Task) -> int:
        """Number of outputs of a task that can be learned; others are refused, before anything has changed."""
        if self._rehearsed is not None:
            return self._rehearsed
        admitted, self._admitted = self._admitted, None
        if admitted is not None and admitted[0] is task and admitted[1] == self.num_tasks:
            return admitted[2]
        outputs = self._check(task)
        if self.num_tasks == 0:
            with default_generators_kept(self.device), explained(task), parallel.alone():
                self._rehearse(few_of(task, few_examples(task)), outputs)
        return outputs

    def _rehearse(self, task: Task, outputs: int) -> None:
        """Let a learner that has learned nothing do all that this one will, as often as twice, with few examples.

        What the method needs at the end of a task, or from the second task on, so fails before the first step.
        """
        learner = object.__new__(type(self))  # with the same fields; the next lines replace those that learning changes
        vars(learner).update(vars(self))
        learner._module = twin_of(self._module)
        learner._learned = []
        learner._task = learner._current = learner._trainer_state = None
        learner._rehearsed = outputs
        size = min(len(task.train), self.training.batch_size)
        changed = {"iterations": 1, "epochs": None, "batch_size": size, "compile": False}
        changed |= {"plateau": None, "early_stopping": None, "warm_up": 0}
        changed["gradient_accumulation_steps"] = min(self.training.gradient_accumulation_steps, 2)
        vars(learner).update(training=self.training.model_copy(update=changed), settings=brief(self.settings))
        learner._parts = Parts(**learner._make_parts())
        inputs, _ = few_examples(task)
        learner._check_module(inputs.to(self.device))
        try:
            for number in range(2):
                learner._learn(task, None, "learn", number)
                learner.predict(inputs, number)
        except DivergenceError:
            return  # two examples say little about that

    def _check(self, task: Task) -> int:
        """Refuse a task that cannot be learned, before anything has changed; returns its number of outputs."""
        self._check_labels(task)
        self._check_training(task)
        check_shares(task, self.training.batch_size)
        shape = task.train.input_shape
        if self._input_shape is not None and shape != self._input_shape and not self._may_have(shape):
            raise self._other_shape(task)
        batch = few_examples(task)
        inputs = batch[0].to(self.device)
        try:
            with torch.no_grad(), self._on_trial(inputs) as (twin, copied):
                returned = called(twin.eval(), copied)
        except HypermnesiaError:
            raise
        except Exception as error:  # whatever the module raises
            if self._input_shape not in (None, shape):
                raise self._other_shape(task) from error
            weights = ", ".join(sorted({str(p.dtype) for p in self._module.parameters()}))
            raise DataError(
                f"the module does not take inputs of shape {show_shape(shape, 'n')} and type {_types(inputs)}, as in"
                f" task '{task.name}' (its weights are {weights}): {error}"
            ) from error
        criterion = self._criterion_of(task)
        shape_of_outputs = criterion.shape_of_outputs(tuple(task.label_shape))
        outputs = check_outputs(answer_of(returned), len(inputs), shape_of_outputs)
        check_numbers(task, self._module, self.device)
        check_targets(task, criterion)
        if self._given_criterion is None:
            check_not_one_hot(task)
        if self.needs_one_shape:
            check_one_shape(task)
        if self.num_tasks == 0:
            with default_generators_kept(self.device), explained(task):
                check_in_training(self._module, inputs[: self.training.batch_size], type(returned), shape_of_outputs)
                self._check_batches(task, inputs[:1])
                self._check_module(inputs)
        number = self._count_outputs(task, outputs.shape[1])
        check_weights(task, criterion, number, max(number, outputs.shape[1]))
        return number

    def _on_trial(self, inputs: Inputs) -> contextlib.AbstractContextManager[tuple[nn.Module, Inputs]]:
        """A copy of the module, and inputs for it; before the first task with a look at what it changes."""
        if self.num_tasks == 0:
            return unchanged(self._module, inputs)
        return contextlib.nullcontext((twin_of(self._module), inputs))

    def _other_shape(self, task: Task) -> DataError:
        return DataError(
            f"inputs of task '{task.name}' have shape {show_shape(task.train.input_shape)}, but those of the first task"
            f" had {show_shape(self._input_shape)}: bring all tasks to one shape"
        )

    def _check_batches(self, task: Task, example: Inputs) -> None:
        """Refuse batches with which the module cannot be trained."""
        check_last_batch(task, self._module, example)

    def _check_module(self, inputs: Inputs) -> None:
        """Refuse a module that the method cannot use, by inputs that it takes; before the first task."""

    def _criterion_of(self, task: Task) -> Criterion:
        """What the task is to be learned by."""
        return self._given_criterion or USUAL[task.labels]

    def metric_of(self, task: Task) -> Metric:
        """Return the figure by which answers for a task are judged, also before a first one was learned."""
        return measure_of(self._given_metric, self._criterion_of(task)).metric

    def _check_criterion(self) -> None:
        criterion = self._given_criterion
        if isinstance(criterion, OwnLoss) and OwnLoss not in self.learns:
            raise ConfigurationError(
                f"criterion model: {type(self).__name__} needs a loss of outputs, not one that the module returns,"
                " which knows nothing of a head that grows, or of the method. These learn by the module's own loss:"
                f" {', '.join(self._that_learn_by(OwnLoss))}; here give a criterion of outputs and targets"
            )
        if criterion is not None and not isinstance(criterion, self.learns):
            raise ConfigurationError(self._does_not_learn(f"criterion {criterion.kind}"))
        match criterion:
            case CrossEntropy() if self.plain_labels_only and (criterion.weight or criterion.ignore_index >= 0):
                raise ConfigurationError(self._does_not_learn("weights of classes, or labels to ignore"))

    @staticmethod
    def _that_learn_by(criterion: type[Criterion]) -> list[str]:
        every = kinds_of(Admission, every=True)  # type: ignore[type-abstract]
        return sorted(name for name, kind in every.items() if criterion in kind.learns and not isabstract(kind))

    def _does_not_learn(self, what: str) -> str:
        every = kinds_of(Admission, every=True)  # type: ignore[type-abstract]
        able = sorted(name for name, kind in every.items() if not kind.plain_labels_only and not isabstract(kind))
        numbers = ", and rows of numbers by the mean squared error" if MeanSquaredError in self.learns else " only"
        return (
            f"{what}: {type(self).__name__} learns one class an input, all of which count alike, by"
            f" cross-entropy{numbers}. These learn any labels by any criterion: {', '.join(able)}"
        )

    def _check_labels(self, task: Task) -> None:
        """Refuse labels that the criterion, or the method, is not for."""
        criterion, shape = self._criterion_of(task), tuple(task.label_shape)
        if not isinstance(criterion, self.learns):
            raise DataError(self._does_not_learn(f"labels of task '{task.name}' are {task.labels}"))
        if self.plain_labels_only and len(shape) > (task.labels == "numbers"):
            raise DataError(self._does_not_learn(f"labels of task '{task.name}' have shape {show_shape(shape, 'n')}"))
        if self._labels is not None and (task.labels, len(shape)) != (self._labels[0], len(self._labels[1])):
            raise DataError(
                f"labels of task '{task.name}' are {task.labels} of shape {show_shape(shape)}, but those before were"
                f" {self._labels[0]} of shape {show_shape(self._labels[1])}: integer labels are classes, floating-point"
                " labels are regression targets, and one learner learns one kind of them"
            )
        if (why_not := criterion.why_not(task.labels, shape)) is not None:
            raise DataError(
                f"labels of task '{task.name}' are {task.labels}, but {why_not} where the criterion is {criterion.kind}"
            )
        measure_of(self._given_metric, criterion)

    def _check_training(self, task: Task) -> None:
        """Refuse a task for which some settings of training have no meaning."""
        looking = [name for name in ("plateau", "early_stopping") if getattr(self.training, name) is not None]
        if looking and task.validation is None:
            raise ConfigurationError(
                f"training.{looking[0]} looks at validation examples, but task '{task.name}' has none: set some aside"
                " (validation=500 of hypermnesia.tasks.split, tasks.validation=500 of an experiment), or leave it out"
            )
        check_steps(task, self.training)
        if self.training.compile and isinstance(self._criterion_of(task), OwnLoss):
            raise ConfigurationError(
                "training.compile has no effect where the criterion is the module's own loss: leave it out, or compile"
                " a part of the module"
            )
        if self.training.augmentation is not None and not _are_images(task.train.input_shape):
            raise ConfigurationError(
                "training.augmentation is for images, inputs of shape [channels, height, width]; those of task"
                f" '{task.name}' have {show_shape(task.train.input_shape)}: leave it out"
            )

    def _count_outputs(self, task: Task, outputs: int) -> int:
        """Number of the task's outputs, as classes or targets; refuses a task with more than the module's."""
        asked, what = asked_outputs(task, self._criterion_of(task))
        if asked is None:
            return outputs
        if what != "classes" and asked != outputs:
            raise DataError(
                f"task '{task.name}' has {asked} {what} for each input, but the module gives {outputs}:"
                " they must be equal (if the labels are classes, make them integers)"
            )
        if asked > outputs:
            raise DataError(
                f"task '{task.name}' has labels up to {asked - 1}, but the module has {outputs}"
                " outputs: labels must be 0 … outputs-1"
            )
        return asked

    def _check_more_of(self, learned: LearnedTask, task: Task) -> None:
        """Refuse examples that cannot be more of a learned task."""
        asked, what = asked_outputs(task, self._criterion_of(task))
        if asked is None and what == "classes":
            asked = task.train.present_classes()[-1] + 1
        outputs = learned.outputs if asked is None else asked
        wrong = outputs > learned.outputs if what == "classes" else outputs != learned.outputs
        if wrong or task.classes not in (None, learned.classes):
            names = "" if learned.classes is None else f" ({', '.join(learned.classes)})"
            raise DataError(
                f"these are no examples of task '{learned.name}', which has {learned.outputs} {what}{names}: they have"
                f" {outputs}, or others; more classes make a new task"
            )


def _are_images(shape: Shape) -> bool:
    return isinstance(shape, tuple) and len(shape) == 3


def _types(inputs: Inputs) -> str:
    types = {inputs.dtype} if isinstance(inputs, Tensor) else set(inputs.types.values())
    return ", ".join(sorted(map(str, types)))
