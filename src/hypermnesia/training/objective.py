"""What a learner optimizes while it learns a task, and how the gradient of a step comes about."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia import parallel
from hypermnesia.inputs import Inputs
from hypermnesia.training.loss_scale import LossScale

Batches = Sequence[tuple[Inputs, Tensor]]
"""Inputs and labels of each batch of a step."""

Rows = TypeVar("Rows", bound=Inputs)


class Portion(NamedTuple):
    """Portion of a step that a batch is, where the gradients of several batches make one step.

    Attributes:
        number: Number of the batch within the step, from 0.
        of: Number of batches in the step.
        scale: Factor of all losses while gradients are computed, which is taken out of these afterwards.

    Example:
        >>> Portion(1, of=2).rows(torch.arange(6))
        tensor([3, 4, 5])
    """

    number: int = 0
    of: int = 1
    scale: float = 1.0

    def loss(self, mean: Tensor) -> Tensor:
        """Return what a batch adds to the loss of its step, times the scale, given the mean over its examples."""
        factor = self.scale / self.of
        return mean if factor == 1 else mean * factor

    def rows(self, of_step: Rows) -> Rows:
        """Return those rows of something drawn for the whole step, inputs or a tensor, that go with this batch."""
        if self.of == 1:
            return of_step
        mine: Any = of_step.tensor_split(self.of)[self.number]
        return mine  # type: ignore[no-any-return]


WHOLE = Portion()
"""Portion that the only batch of a step is."""


class Objective(ABC):
    """Objective that a learner optimizes while it learns one task."""

    @abstractmethod
    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Return the parameters to change, by the names by which settings know them."""

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters to change."""
        return list(self.named_parameters().values())

    def frozen(self) -> list[str]:
        """Return names of parameters that are left as they are in this task alone."""
        return []

    def statistics(self) -> list[Tensor]:
        """Return what else steps change, in place: tensors such as the statistics of batch normalization."""
        return []

    def rate_factors(self) -> dict[Tensor, float]:
        """Return parameters whose learning rate is another than that of the settings, with the factor to it."""
        return {}

    def used_rows(self) -> dict[nn.Parameter, slice]:
        """Return parameters of which the task uses some rows only, with those rows: the others do not decay."""
        return {}

    @property
    def remedy(self) -> str | None:
        """What a person can try where a task was hardly learned, to be told then; None to say nothing."""
        return None

    def begin(self, batches: Batches) -> None:  # noqa: B027 - most have nothing to do
        """Choose where to begin, by the batches of the first step; called before it, again if it was not taken yet."""

    @property
    def num_measured(self) -> int:
        """Number of batches that :meth:`measure` is called with."""
        return 0

    def measure(self, inputs: Inputs, labels: Tensor, portion: Portion) -> None:  # noqa: B027 - most have nothing to do
        """Measure what later tasks must know of this one; called after the last step, a further batch at a time.

        Args:
            inputs: Inputs of the batch.
            labels: Their labels.
            portion: Portion of all that is measured by that the batch is; with the first one, measuring begins anew.
        """

    @abstractmethod
    def prepare(self, iteration: int) -> None:
        """Make the random choices of a step, in storage that stays the same; a CUDA graph does not capture this."""

    @abstractmethod
    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        """Add the gradient of the loss on a batch to `.grad` of the parameters; return scalars, `loss` among them.

        Of several ranks each is given the whole batch and takes its share of it (`hypermnesia.parallel`); it adds what
        that adds to gradient and scalars of the whole batch.

        Args:
            inputs: Inputs of the batch.
            labels: Their labels.
            portion: Portion of the step that the batch is: of the loss, `portion.loss` is differentiated.
        """

    def complete(
        self, scalars: dict[str, Tensor], optimizer: Optimizer, *, is_final: bool = False
    ) -> dict[str, Tensor]:
        """Add to `.grad` what is computed once a step, given the gradient of the loss on all of its batches.

        Args:
            scalars: Scalars of the step, means over its batches.
            optimizer: Optimizer that will take the step.
            is_final: Whether nothing comes between the gradient and the step. An objective may then take the step of a
                parameter itself, as the optimizer would, and leaves no gradient for it.

        Returns:
            Scalars to report.
        """
        return scalars

    def accumulate_gradients(
        self, batches: Batches, optimizer: Optimizer, loss_scale: LossScale | None = None, *, is_final: bool = False
    ) -> dict[str, Tensor]:
        """Put the gradient of a step, the mean over its batches, into `.grad` of the parameters.

        Args:
            batches: Inputs and labels of each batch.
            optimizer: Optimizer that will take the step.
            loss_scale: Scale of losses, which is taken out of the gradient of all batches together.
            is_final: Whether nothing comes between the gradient and the step, as in :meth:`complete`.

        Returns:
            Detached scalars, `loss` among them; the same on all ranks.
        """
        scale = 1.0 if loss_scale is None else loss_scale.value
        portions = [Portion(number, len(batches), scale) for number in range(len(batches))]
        each = [self.add_gradients(*batch, portion) for batch, portion in zip(batches, portions, strict=True)]
        means = each[0] if len(each) == 1 else {n: torch.stack([s[n].detach() for s in each]).mean(0) for n in each[0]}
        scalars = parallel.sum_gradients(self.parameters(), means)
        if loss_scale is not None:
            loss_scale.take_out(optimizer)
        return self.complete(scalars, optimizer, is_final=is_final)


class CombinedObjective(Objective):
    """Combined objective: several objectives, each with parameters of its own, learned in the same steps.

    All optimizers treat every parameter by itself, so each objective is learned as if it were alone; only `clip_norm`
    looks at all gradients together. The reported `loss` is the sum of all losses.

    Args:
        main: Objective whose scalars are reported under their own names, such as `accuracy`.
        others: Objectives by name, whose scalars are reported with the name in front, such as `replay/loss`.
    """

    def __init__(self, main: Objective, others: Mapping[str, Objective]) -> None:
        # By what stands in front of the names of their scalars.
        self._parts = {"": main, **{f"{name}/": objective for name, objective in others.items()}}

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Return the parameters of all objectives, with what stands in front of the names of their scalars."""
        return {f"{place}{n}": p for place, part in self._parts.items() for n, p in part.named_parameters().items()}

    def frozen(self) -> list[str]:
        """Return the names of all objectives."""
        return [f"{place}{name}" for place, part in self._parts.items() for name in part.frozen()]

    def statistics(self) -> list[Tensor]:
        """Return those of all objectives."""
        return [tensor for part in self._parts.values() for tensor in part.statistics()]

    def rate_factors(self) -> dict[Tensor, float]:
        """Return the factors of all objectives."""
        return {p: factor for part in self._parts.values() for p, factor in part.rate_factors().items()}

    def used_rows(self) -> dict[nn.Parameter, slice]:
        """Return the rows of all objectives."""
        return {p: rows for part in self._parts.values() for p, rows in part.used_rows().items()}

    @property
    def remedy(self) -> str | None:
        """That of the main objective."""
        return self._parts[""].remedy

    def begin(self, batches: Batches) -> None:
        """Let each objective choose where to begin."""
        for part in self._parts.values():
            part.begin(batches)

    @property
    def num_measured(self) -> int:
        """The largest number of all objectives."""
        return max(part.num_measured for part in self._parts.values())

    def measure(self, inputs: Inputs, labels: Tensor, portion: Portion) -> None:
        """Let each objective measure."""
        for part in self._parts.values():
            part.measure(inputs, labels, portion)

    def prepare(self, iteration: int) -> None:
        """Let each objective make the random choices of a step."""
        for part in self._parts.values():
            part.prepare(iteration)

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        """Add the gradients of all objectives to `.grad`; return the scalars of all."""
        of_parts = {place: part.add_gradients(inputs, labels, portion) for place, part in self._parts.items()}
        return {f"{place}{name}": scalar for place, found in of_parts.items() for name, scalar in found.items()}

    def complete(
        self, scalars: dict[str, Tensor], optimizer: Optimizer, *, is_final: bool = False
    ) -> dict[str, Tensor]:
        """Let each objective add what it computes once a step; return the scalars of all, with the sum of losses."""
        of_parts: dict[str, dict[str, Tensor]] = {place: {} for place in self._parts}
        for name, scalar in scalars.items():
            place = next(place for place in reversed(self._parts) if name.startswith(place))
            of_parts[place][name.removeprefix(place)] = scalar
        completed = {
            f"{place}{name}": scalar
            for place, part in self._parts.items()
            for name, scalar in part.complete(of_parts[place], optimizer, is_final=is_final).items()
        }
        losses = [completed[f"{place}loss"] for place in self._parts]
        return {**completed, "loss": functools.reduce(torch.add, losses)}
