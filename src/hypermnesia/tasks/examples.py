"""The examples of one split of a task, whatever they are stored in."""

from __future__ import annotations

import abc
import copy
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from hypermnesia.criteria import LabelKind, Targets
from hypermnesia.errors import DataError
from hypermnesia.inputs import Inputs, Shape, Type, finite, joined
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.arrays import scaled
from hypermnesia.tasks.identity import Identity
from hypermnesia.tasks.shuffled_batches import shuffled_batches
from hypermnesia.tasks.structured_kind import Kind

Batch = tuple[Inputs, Targets]
"""Inputs and labels (classes or regression targets); uint8 inputs have become float32 in [0, 1]."""

_LOOKED_AT = 4096
"""Number of examples that are looked at together."""


class Examples(abc.ABC):
    """One split (training, validation or test) of a task; `TensorExamples` where the data fits in memory.

    Attributes:
        input_shape: Shape of one input, such as `(1, 28, 28)`; of inputs of several parts, that of each by name.
        input_type: Type in which inputs, or their parts, are stored; those of uint8 are gray levels.
        labels: Kind of the labels: `classes` where they are integers, `numbers` where floating-point.
        label_shape: Shape of the label of one input; `()` for a class.
        num_outputs: Number of classes (labels are 0 to this minus 1) or of regression targets an input; None where
            only reading all labels would tell, or where what they are learned by decides.
    """

    input_shape: Shape
    input_type: Type
    labels: LabelKind
    label_shape: tuple[int, ...]
    num_outputs: int | None
    _device = torch.device("cpu")
    """Device on which indices of examples are wanted."""

    _prepare: Callable[[Inputs], Inputs] = staticmethod(scaled)
    """Function that makes of stored inputs those that go into a network."""

    def prepared(self, kind: Kind, what: str = "inputs") -> Examples:
        """Return the same examples, whose inputs go into a network as those that were learned first.

        Args:
            kind: Kind of what was learned first.
            what: What these inputs are called in errors.

        Raises:
            DataError: They are of a type that cannot mean the same.

        Example:
            >>> from hypermnesia.tasks import TensorExamples
            >>> from hypermnesia.tasks.input_kind import InputKind
            >>> images = TensorExamples([[0, 255]], [0]).prepared(InputKind(torch.uint8))
            >>> next(images.in_order(1))[0]
            tensor([[0., 1.]])
        """
        kind.check(self.input_type, what)
        same = copy.copy(self)
        same._prepare = kind  # type: ignore[assignment]  # inputs are of its kind
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
            "shape of inputs": _as_json(self.input_shape),
            "type of inputs": _as_json(self.input_type),
            "kind of labels": self.labels,
            "shape of labels": list(self.label_shape),
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
            if not bool((fine := finite(inputs)).all()):
                return first + int((~fine).nonzero()[0, 0])
            first += len(inputs)
        return None

    def present_classes(self) -> list[int]:
        """Return the classes that have an example, in their order; reads all labels."""
        return sorted({label for _, labels in self.in_order(1000) for label in labels.unique().tolist()})

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


def drawn_from(batches: Iterable[Batch], number: int, seeds: Seeds) -> Batch:
    """Draw up to `number` examples of some batches without replacement, in random order; all where there are fewer.

    Every example gets a random key, and those of the smallest keys are drawn: so no more are held than are drawn, and a
    batch.
    """
    generator = seeds.generator()
    drawn: tuple[Inputs, Tensor, Tensor] | None = None
    for inputs, labels in batches:
        keys = torch.rand(len(labels), generator=generator, dtype=torch.float64)
        if drawn is not None:
            inputs, labels, keys = (
                joined([drawn[0], inputs]),
                torch.cat([drawn[1], labels]),
                torch.cat([drawn[2], keys]),
            )
        smallest = keys.argsort()[:number]
        drawn = inputs[smallest.to(inputs.device)], labels[smallest.to(labels.device)], keys[smallest]
    assert drawn is not None
    return drawn[:2]


def check_any(examples: Examples) -> None:
    """Refuse a split without examples."""
    if len(examples) == 0:
        raise DataError("A task needs examples, but there are none.")


def _as_json(value: Shape | Type) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(part) for name, part in value.items()}
    return list(value) if isinstance(value, tuple) else str(value)
