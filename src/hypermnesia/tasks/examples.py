"""The examples of one split of a task, whatever they are stored in."""

from __future__ import annotations

import abc
import copy
from collections.abc import Callable, Generator, Iterator

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from hypermnesia.errors import DataError
from hypermnesia.problems import Problem, Targets
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.arrays import scaled
from hypermnesia.tasks.identity import Identity
from hypermnesia.tasks.input_kind import InputKind
from hypermnesia.tasks.shuffled_batches import shuffled_batches

Batch = tuple[Shaped[Tensor, "batch *shape"], Targets]
"""Inputs and labels (classes or regression targets); uint8 inputs have become float32 in [0, 1]."""

_LOOKED_AT = 4096
"""Number of examples that are looked at together."""


class Examples(abc.ABC):
    """One split (training, validation or test) of a task; `TensorExamples` where the data fits in memory.

    Attributes:
        input_shape: Shape of one input, such as `(1, 28, 28)`.
        input_type: Type in which inputs are stored; those of uint8 are gray levels.
        problem: Classification, where labels are integers, or regression, where they are floating-point numbers.
        num_outputs: Number of classes (labels are 0 to this minus 1) or of regression targets an input; None where
            only reading all labels would tell.
    """

    input_shape: tuple[int, ...]
    input_type: torch.dtype
    problem: Problem
    num_outputs: int | None
    _device = torch.device("cpu")
    """Device on which indices of examples are wanted."""

    _prepare: Callable[[Tensor], Tensor] = staticmethod(scaled)
    """Function that makes of stored inputs those that go into a network."""

    def prepared(self, kind: InputKind, what: str = "inputs") -> Examples:
        """Return the same examples, whose inputs go into a network as those that were learned first.

        Args:
            kind: Kind of what was learned first.
            what: What these inputs are called in errors.

        Raises:
            DataError: They are of a type that cannot mean the same.

        Example:
            >>> from hypermnesia.tasks import TensorExamples
            >>> images = TensorExamples([[0, 255]], [0]).prepared(InputKind(torch.uint8))
            >>> next(images.in_order(1))[0]
            tensor([[0., 1.]])
        """
        kind.check(self.input_type, what)
        same = copy.copy(self)
        same._prepare = kind
        return same

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abc.abstractmethod
    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        """Return the examples with the given indices, from 0 to the length minus 1, in that order."""

    def identity(self) -> Identity:
        """Return what tells these examples from others, as JSON values by name."""
        return {
            "number of examples": len(self),
            "shape of inputs": list(self.input_shape),
            "problem": self.problem.name,
            "number of outputs": self.num_outputs,
        }

    def steps_per_epoch(self, batch_size: int) -> float:
        """Return how many of the batches of :meth:`batches` go once through the examples; not always a whole number."""
        return len(self) / min(batch_size, len(self))

    def draw(self, number: int, seeds: Seeds) -> Batch:
        """Draw up to `number` examples without replacement, in random order; all where there are fewer."""
        return next(self.batches(number, seeds))

    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Generator[Batch, None, None]:
        """Return endless batches for training, shuffled as by `shuffled_batches`, beginning with batch `start`."""
        chosen = shuffled_batches(len(self), batch_size, seeds, start, self._device)
        return (self.take(indices) for indices in chosen)

    def close(self) -> None:  # noqa: B027 - most have nothing to do
        """End what was started to read examples, such as other processes; they can be read again."""

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Return every example once, always in the same order; the last batch may be smaller."""
        return (self.take(indices) for indices in torch.arange(len(self), device=self._device).split(batch_size))

    def first_not_finite(self) -> int | None:
        """Return the number of the first example whose input is not finite numbers alone; None where all are."""
        first = 0
        for inputs, _ in self.in_order(_LOOKED_AT):
            if not bool((fine := inputs.isfinite().flatten(1).all(1)).all()):
                return first + int((~fine).nonzero()[0, 0])
            first += len(inputs)
        return None

    def present_classes(self) -> list[int]:
        """Return the classes that have an example, in their order; reads all labels."""
        return sorted({label for _, labels in self.in_order(1000) for label in labels.tolist()})

    def as_stored(self, inputs: Shaped[Tensor, "n *shape"]) -> Shaped[Tensor, "n *shape"]:
        """Put every element of inputs back where it is stored, so that people can read a permuted image.

        Args:
            inputs: Inputs of this split, or imitations of them, with elements in the order that :meth:`take` gives.

        Example:
            >>> from hypermnesia.tasks import TensorExamples
            >>> examples = TensorExamples(torch.eye(3), torch.arange(3), permutation=torch.tensor([2, 0, 1]))
            >>> torch.equal(examples.as_stored(examples.take(torch.arange(3))[0]), torch.eye(3))
            True
        """
        return inputs


def check_any(examples: Examples) -> None:
    """Refuse a split without examples."""
    if len(examples) == 0:
        raise DataError("A task needs examples, but there are none.")
