"""Examples of a map-style dataset, read when they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from hypermnesia.criteria import label_kind
from hypermnesia.errors import DataError
from hypermnesia.tasks.arrays import ONE_INPUT, usual_type
from hypermnesia.tasks.examples import Batch, Examples, check_any
from hypermnesia.tasks.identity import Identity, content_of_dataset
from hypermnesia.tasks.labels import check_from_zero, targets_of


class DatasetExamples(Examples):
    """Examples of any map-style `torch.utils.data.Dataset` of (input, label) pairs.

    A dataset that augments at random draws from a source of its own, so its runs cannot be repeated bit for bit.

    Args:
        dataset: Dataset with a length and integer indices; labels are class numbers from 0 or floating-point
            regression targets.
        collate: Function that makes a batch of a list of items.

    Raises:
        DataError: The dataset is empty, or its items are no such pairs.

    Example:
        >>> pairs = [(torch.zeros(2), 0), (torch.ones(2), 1)]
        >>> next(DatasetExamples(pairs).in_order(batch_size=2))
        (tensor([[0., 0.],
                [1., 1.]]), tensor([0, 1]))
    """

    def __init__(
        self, dataset: Dataset[Any] | Sequence[Any], collate: Callable[[list[Any]], Any] = default_collate
    ) -> None:
        self._dataset, self._collate = dataset, collate
        check_any(self)
        # The first item tells the kind of labels, but of classes not how many there are.
        first = dataset[0]
        self._holds_arrays = (
            collate is default_collate
            and isinstance(first, (tuple, list))
            and not torch.is_tensor(next(iter(first), None))
        )
        inputs, labels = self._collated([first])
        self.input_shape = tuple(inputs.shape[1:])
        self.labels = label_kind(labels)
        self.input_type = inputs.dtype
        self.label_shape = tuple(labels.shape[1:])
        self.num_outputs = labels.shape[1] if self.labels == "numbers" else None

    def __len__(self) -> int:
        return len(self._dataset)  # type: ignore[arg-type]  # torch declares no length

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        return self._batch(chosen.tolist())

    def identity(self) -> Identity:
        """Return what tells these examples from others; of what is not in memory, some examples are read."""
        content = content_of_dataset(self._dataset)
        return {**super().identity(), "type of inputs": str(self.input_type), "content": content}

    def _batch(self, indices: list[int]) -> Batch:
        inputs, labels = self._collated([self._dataset[index] for index in indices])
        return self._prepare(inputs), labels

    def _collated(self, items: list[Any]) -> Batch:
        """Inputs as they are stored, and labels."""
        try:
            batch = self._collate(items)
        except (TypeError, RuntimeError) as error:
            raise DataError(
                f"Examples cannot be put together into a batch: {error} Inputs must be tensors of one shape, or "
                "NumPy arrays (images too, as by numpy.asarray), labels integers or floating-point numbers."
            ) from error
        return self._checked(batch)

    def _checked(self, batch: Any) -> Batch:
        """Inputs and labels of a batch, if it is these. Arrays get the type that they have outside of datasets too."""
        inputs, labels = checked_batch(batch)
        return usual_type(inputs) if self._holds_arrays else inputs, labels


def checked_batch(batch: Any) -> Batch:
    """Return a batch that a dataset or loader made, if it is inputs and labels."""
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2 and all(torch.is_tensor(part) for part in batch)):
        several = isinstance(batch, (tuple, list)) and len(batch) == 2 and isinstance(batch[0], (Mapping, tuple, list))
        raise DataError(
            "Examples must be pairs of an input tensor and an integer or floating-point label; collated into a batch "
            f"these are {_describe(batch)}. Wrap the dataset so that its items are such pairs."
            f"{f' {ONE_INPUT}' if several else ''}"
        )
    inputs, labels = batch
    labels, kind = targets_of(labels)
    if labels.shape[:1] != inputs.shape[:1]:
        raise DataError(
            f"A batch has inputs of shape {list(inputs.shape)} but labels of shape {list(labels.shape)}; "
            "each input needs one label."
        )
    if kind == "classes" and labels.ndim == 1:
        check_from_zero(int(labels.min()))
    return inputs.detach(), labels


def _describe(batch: Any) -> str:
    if isinstance(batch, (tuple, list)):
        return f"{len(batch)} parts of types {', '.join(type(part).__name__ for part in batch)}"
    return f"of type {type(batch).__name__}"
