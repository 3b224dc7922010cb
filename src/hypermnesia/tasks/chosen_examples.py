"""Some of the examples of a split."""

from __future__ import annotations

from jaxtyping import Int64
from torch import Tensor

from hypermnesia.tasks.examples import Batch, Examples
from hypermnesia.tasks.identity import Digest, Identity


class ChosenExamples(Examples):
    """Some of the examples of a split, whatever these are stored in.

    Args:
        examples: The split.
        rows: Indices of those that are chosen.

    Example:
        >>> import torch
        >>> from hypermnesia.tasks import TensorExamples
        >>> some = ChosenExamples(TensorExamples(torch.eye(3), torch.arange(3)), torch.tensor([2, 0]))
        >>> next(some.in_order(8))[1]
        tensor([2, 0])
    """

    def __init__(self, examples: Examples, rows: Int64[Tensor, " rows"]) -> None:
        self._examples, self._rows = examples, rows
        self.input_shape, self.input_type, self.labels = examples.input_shape, examples.input_type, examples.labels
        self.num_outputs, self.label_shape = examples.num_outputs, examples.label_shape

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        return self._examples.take(self._rows[chosen.to(self._rows.device)])

    def identity(self) -> Identity:
        """Return what tells these examples from others."""
        digest = Digest()
        digest.add(self._rows)
        return {**self._examples.identity(), "number of examples": len(self), "chosen": digest.text()}
