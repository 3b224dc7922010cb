"""Examples that are kept of every task: how they are chosen, and how they are drawn while another task is learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from hypermnesia.criteria import CrossEntropy
from hypermnesia.errors import ConfigurationError
from hypermnesia.inputs import Inputs, joined, of_state, state_of
from hypermnesia.learners.generated import INPUTS_AT_A_TIME
from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.parallel import share
from hypermnesia.seeds import Seeds
from hypermnesia.settings import Settings
from hypermnesia.standard import Past, PastBatch
from hypermnesia.tasks.scenario import Outputs
from hypermnesia.tasks.task import Task
from hypermnesia.training.augmentation import augmented
from hypermnesia.training.objective import WHOLE, Portion
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings

Answers = Callable[[Inputs], Float[Tensor, "inputs outputs"]]


class MemorySettings(Settings):
    """Settings of the examples that are kept.

    Example:
        >>> MemorySettings().buffer_size
        500
    """

    buffer_size: Annotated[int, Field(ge=1)] = 500
    """Number of examples kept of all tasks together, shared equally among them; at least as many as tasks."""


class MemoryLearner(StandardNetworkLearner):
    """Base class of learners that keep some examples of every task; subclasses differ in what these are for.

    Of each task equally many examples are kept, drawn at random when it has been learned.

    Args:
        module, settings, scenario, criterion, metric, training, seed, device: As for :class:`StandardNetworkLearner`.
    """

    settings: MemorySettings
    needs_one_shape = True

    def _make_parts(self) -> dict[str, Part]:
        parts = super()._make_parts()
        self._memory = Memory(self.settings.buffer_size, self.seeds, self.device, self._answers())
        return {**parts, "buffer": self._memory}

    def _answers(self) -> Answers | None:
        """Function that gives what is kept beside examples of a task that has been learned; None for nothing."""
        return None

    def _check(self, task: Task) -> int:
        outputs = super()._check(task)
        if self.settings.buffer_size <= self.num_tasks:
            raise ConfigurationError(
                f"a buffer of {self.settings.buffer_size} examples has no room for one of each of {self.num_tasks + 1}"
                " tasks: raise buffer_size"
            )
        return outputs

    def _remembered(self, purpose: str = "replay") -> StoredExamples | None:
        """What is kept, as a source of batches for the task that was begun; None for the first task.

        Args:
            purpose: Sources for different purposes draw independently.
        """
        if not self.num_tasks:
            return None
        seeds = self.seeds.child(purpose, self.num_tasks)
        assert isinstance(self.criterion, CrossEntropy)
        smoothing = self.criterion.label_smoothing
        return StoredExamples(self._memory, self._standard.outputs, self.training, seeds, smoothing)


class Memory(Part):
    """Examples of all tasks, an equal share of each, in random order.

    Args:
        size: Number of examples of all tasks together.
        seeds: Seeds of the choice.
        device: Device that they are on.
        answers: Function that gives a row of numbers for each input, to be kept beside it when a task ends; None for
            nothing.

    Attributes:
        kept: Of each task inputs `[n, ...]`, labels within the task `[n]` and, if there is such a function, answers
            `[n, outputs]`.
    """

    def __init__(self, size: int, seeds: Seeds, device: torch.device, answers: Answers | None = None) -> None:
        self._size, self._seeds, self._device, self._answers = size, seeds, device, answers
        self.kept: list[tuple[Any, ...]] = []

    def end_task(self, task: Task) -> None:
        """Choose examples of the task, and keep fewer of the earlier ones."""
        number = len(self.kept)
        share = self._size // (number + 1)
        inputs, labels = (part.to(self._device) for part in task.train.draw(share, self._seeds.child("buffer", number)))
        examples: tuple[Any, ...] = (inputs, labels)
        if self._answers is not None:
            examples += (torch.cat([self._answers(part) for part in inputs.split(INPUTS_AT_A_TIME)]),)
        # In random order, so the first ones are a random choice. Cloned, so that the others are freed.
        self.kept = [tuple(part[:share].clone() for part in kept) for kept in (*self.kept, examples)]

    def state(self) -> dict[str, Any]:
        """All that is kept."""
        return {"kept": [[state_of(part) for part in kept] for kept in self.kept]}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave."""
        self.kept = [tuple(of_state(part).to(self._device, copy=True) for part in kept) for kept in state["kept"]]


class StoredExamples(Past):
    """Batches of what is kept of all past tasks, drawn anew for each step, augmented as the current examples are.

    Of each task equally many are drawn, however many are kept of it: a small task may have fewer than its share.

    Args:
        memory: What is kept.
        outputs: Outputs of the network.
        training: Settings of the size of a batch, and of augmentation.
        seeds: Seeds of the draws.
        label_smoothing: Share of a class's target probability that is spread over all that compete with it.

    Attributes:
        answers: What was kept beside all examples of the prepared step, `[past, outputs]`: at outputs that compete for
            them, zero at those of them that have come since, and no number elsewhere; None where nothing was kept.
    """

    def __init__(
        self, memory: Memory, outputs: Outputs, training: TrainingSettings, seeds: Seeds, label_smoothing: float = 0.0
    ) -> None:
        self._augmentation, self._seeds = training.augmentation, seeds
        rows = [_rows(kept, task, outputs, label_smoothing) for task, kept in enumerate(memory.kept)]
        self._all: list[Any] = [joined(parts) for parts in zip(*rows, strict=True)]
        counts = torch.tensor([len(inputs) for inputs, *_ in rows])
        self._kept = counts.nonzero()[:, 0]
        self._counts, self._firsts = counts, counts.cumsum(0) - counts
        # Storage that stays the same, for CUDA graphs.
        anything = torch.zeros(training.examples_in_a_step, dtype=torch.int64, device=self._all[0].device)
        self._batch = [part[anything] for part in self._all]
        self.answers: Tensor | None = self._batch[3] if len(self._batch) > 3 else None

    def prepare(self, iteration: int) -> None:
        """Draw the batch of a step."""
        seeds, (inputs, *others) = self._seeds.child(iteration), self._all
        number = len(self._batch[0])
        # In turns, from where the last step stopped: equal shares, also of more tasks than a batch has examples.
        tasks = self._kept[(torch.arange(number) + iteration * number) % len(self._kept)]
        place = torch.rand(number, generator=seeds.generator(), dtype=torch.float64) * self._counts[tasks]
        chosen = (self._firsts[tasks] + place.long()).to(inputs.device)
        drawn = inputs[chosen]
        if self._augmentation is not None:
            drawn = augmented(drawn, self._augmentation, seeds.child("augmentation"))
        for place, part in zip(self._batch, (drawn, *(other[chosen] for other in others)), strict=True):
            place.copy_(part)

    def batch(self, current: Inputs, portion: Portion = WHOLE) -> PastBatch:
        """Return the batch of the prepared step, or its portion of that."""
        inputs, targets, tasks = (portion.rows(part) for part in self._batch[:3])
        return PastBatch(share(inputs), share(targets), share(tasks), len(inputs))


def _rows(kept: tuple[Any, ...], task: int, outputs: Outputs, label_smoothing: float) -> list[Any]:
    """What a step needs of the examples kept of a task: inputs, target probabilities, their task, and their answers."""
    inputs, labels, *answers = kept
    competing = outputs.competing(task)
    spread = torch.zeros(len(outputs), device=labels.device)
    spread[competing] = 1 / (competing.stop - competing.start)
    hard = functional.one_hot(labels + outputs.of_task(task).start, len(outputs)).float()
    targets = (1 - label_smoothing) * hard + label_smoothing * spread
    wide = [torch.full_like(targets, torch.nan) for _ in answers]
    for place, answer in zip(wide, answers, strict=True):
        place[:, competing] = functional.pad(answer, (0, competing.stop - competing.start - answer.shape[1]))
    return [inputs, targets, torch.full_like(labels, task), *wide]
