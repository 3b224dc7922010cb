"""The examples of several tasks, combined into one set for one network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn import functional

from hypermnesia.criteria import label_kind
from hypermnesia.inputs import joined
from hypermnesia.tasks.examples import Batch, Examples


class UnionExamples(Examples):
    """The examples of several tasks together, for a network with outputs for all of them.

    A class label becomes the index of its output. Regression targets stand at the place of their outputs; those of
    other tasks are NaN.

    Args:
        parts: Examples of each task, all of one input shape and one kind of labels.
        places: Outputs of each task, in the same order.
        num_outputs: Number of outputs of the network.

    Example:
        >>> from hypermnesia.tasks.tensor_examples import TensorExamples
        >>> first = TensorExamples(torch.zeros(1, 2), torch.tensor([0]))
        >>> UnionExamples([first, first], [slice(0, 5), slice(5, 7)], 7).take(torch.tensor([0, 1]))[1]
        tensor([0, 5])
    """

    num_outputs: int

    def __init__(self, parts: Sequence[Examples], places: Sequence[slice], num_outputs: int):
        self._parts = list(zip(parts, places, strict=True))
        self.input_shape, self.input_type = parts[0].input_shape, parts[0].input_type
        self.labels, self.label_shape = parts[0].labels, parts[0].label_shape
        self.num_outputs = num_outputs
        self._ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        owners = torch.bucketize(chosen, self._ends, right=True)
        positions, batches = [], []
        for number, (part, place) in enumerate(self._parts):
            if len(position := (owners == number).nonzero()[:, 0]):
                first = int(self._ends[number]) - len(part)
                inputs, labels = part.take(chosen[position] - first)
                positions.append(position)
                batches.append((inputs, self._placed(labels, place)))
        order = torch.cat(positions).argsort()
        columns = zip(*batches, strict=True)
        inputs, labels = joined(next(columns)), torch.cat(next(columns))
        return self._prepare(inputs[order.to(inputs.device)]), labels[order.to(labels.device)]

    def _placed(self, labels: Tensor, place: slice) -> Tensor:
        if label_kind(labels) == "numbers":
            placed: Tensor = functional.pad(labels, (place.start, self.num_outputs - place.stop), value=math.nan)
            return placed
        shifted: Tensor = labels + place.start
        return shifted
