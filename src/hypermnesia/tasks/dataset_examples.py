"""Examples of a map-style dataset, read when they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import default_collate

from hypermnesia.criteria import label_kind
from hypermnesia.errors import DataError
from hypermnesia.inputs import is_graph, shape_of, show_shape, structured, type_of
from hypermnesia.inputs.graphs import collate_graphs
from hypermnesia.tasks.arrays import usual_type
from hypermnesia.tasks.examples import Batch, Examples, check_any
from hypermnesia.tasks.identity import Identity, content_of_dataset
from hypermnesia.tasks.labels import check_from_zero, targets_of


class DatasetExamples(Examples):
    """Examples of any map-style dataset: of pairs (input, label), of dictionaries with a label, or of graphs.

    Inputs are tensors, or dictionaries or tuples of tensors (:mod:`hypermnesia.inputs`). In a dictionary that is a
    whole example the label is called `label` or `labels`, as in those of Hugging Face; a graph's is its `y`.

    A dataset that augments at random draws from a source of its own, so its runs cannot be repeated bit for bit.

    Args:
        dataset: A `torch.utils.data.Dataset`, a `datasets.Dataset` in torch's format, a list, or what else has a length
            and integer indices; labels are class numbers from 0 or floating-point regression targets.
        collate: Function that makes a batch of a list of items; graphs are put together as graphs.

    Raises:
        DataError: The dataset is empty, or its items are no such pairs.

    Example:
        >>> import torch
        >>> pairs = [(torch.zeros(2), 0), (torch.ones(2), 1)]
        >>> next(DatasetExamples(pairs).in_order(batch_size=2))
        (tensor([[0., 0.],
                [1., 1.]]), tensor([0, 1]))
    """

    def __init__(self, dataset: Any, collate: Callable[[list[Any]], Any] = default_collate) -> None:
        self._dataset, self._collate = dataset, collate
        check_any(self)
        # The first item tells the kind of labels, but of classes not how many there are.
        first = dataset[0]
        if collate is default_collate:
            self._collate = collating(first)
        self._holds_arrays = collate is default_collate and not _holds_tensors(first)
        inputs, labels = self._collated([first])
        self.input_shape, self.input_type = shape_of(inputs), type_of(inputs)
        self.labels = label_kind(labels)
        self.label_shape = tuple(labels.shape[1:])
        self.num_outputs = labels.shape[1] if self.labels == "numbers" else None

    def __len__(self) -> int:
        return len(self._dataset)

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        return self._batch(chosen.tolist())

    def identity(self) -> Identity:
        """Return what tells these examples from others; of what is not in memory, some examples are read."""
        content = content_of_dataset(self._dataset)
        return {**super().identity(), "content": content}

    def _batch(self, indices: list[int]) -> Batch:
        together = getattr(self._dataset, "__getitems__", None)
        items = together(indices) if together is not None else [self._dataset[index] for index in indices]
        inputs, labels = self._collated(items)
        return self._prepare(inputs), labels

    def _collated(self, items: list[Any]) -> Batch:
        """Inputs as they are stored, and labels."""
        try:
            batch = self._collate(items)
        except KeyError as error:
            raise DataError(
                f"Examples cannot be put together into a batch: some have no {error}; give all the same parts."
            ) from error
        except (TypeError, RuntimeError) as error:
            raise DataError(
                f"Examples cannot be put together into a batch: {error} Inputs must be tensors of one shape, or "
                "NumPy arrays (images too, as by numpy.asarray), labels integers or floating-point numbers."
            ) from error
        return self._checked(batch)

    def _checked(self, batch: Any) -> Batch:
        """Inputs and labels of a batch, if it is these. Arrays get the type that they have outside of datasets too."""
        inputs, labels = checked_batch(batch)
        if not self._holds_arrays:
            return inputs, labels
        return usual_type(inputs) if isinstance(inputs, Tensor) else inputs.map(usual_type), labels


def collating(item: Any) -> Callable[[list[Any]], Any]:
    """Return the function that makes batches of items like this one.

    Raises:
        DataError: It has lists of numbers, of which PyTorch would make a tensor for each place.
    """
    if is_graph(item) or (isinstance(item, (tuple, list)) and item and is_graph(item[0])):
        return collate_graphs()
    if isinstance(item, Mapping) and (lists := [name for name, part in item.items() if isinstance(part, list)]):
        raise DataError(
            f"Examples hold lists of numbers ('{lists[0]}'): let the dataset give tensors, as"
            " dataset.with_format('torch') does for those of Hugging Face, or convert them in a collate function."
        )
    return default_collate


def checked_batch(batch: Any) -> Batch:
    """Return inputs and labels of a batch that a dataset or loader made.

    Raises:
        DataError: It is neither a pair of inputs and labels, nor a dictionary that has labels, nor graphs that have.
    """
    inputs, labels = _divided(batch)
    if isinstance(inputs, list):
        inputs = tuple(inputs)  # what batches are made of tuples as
    inputs = inputs if isinstance(inputs, Tensor) else structured(inputs)
    if inputs is None or not isinstance(labels, Tensor):
        raise DataError(
            "Examples must be pairs of an input tensor (or a dictionary or tuple of tensors) and an integer or"
            " floating-point label, or dictionaries in which the label is called 'label' or 'labels'; collated into a"
            f" batch these are {_describe(batch)}. Wrap the dataset so that its items are such."
        )
    labels, kind = targets_of(labels)
    number = 0 if isinstance(inputs, Tensor) and not inputs.ndim else len(inputs)
    if len(labels) != number:
        raise DataError(
            f"A batch has inputs of shape {show_shape(shape_of(inputs), str(number))} but labels of shape"
            f" {list(labels.shape)}; each input needs one label."
        )
    if kind == "classes" and labels.ndim == 1:
        check_from_zero(int(labels.min()))
    return inputs.detach(), labels


def _divided(batch: Any) -> tuple[Any, Any]:
    """Inputs and labels."""
    if is_graph(batch):
        return batch, batch.get("y")
    if isinstance(batch, Mapping):
        name = "labels" if "labels" in batch else "label"
        return {key: part for key, part in batch.items() if key != name}, batch.get(name)
    return tuple(batch) if isinstance(batch, (tuple, list)) and len(batch) == 2 else (None, None)


def _holds_tensors(item: Any) -> bool:
    if isinstance(item, (Mapping, tuple, list)):
        return any(map(_holds_tensors, item.values() if isinstance(item, Mapping) else item))
    return isinstance(item, Tensor) or is_graph(item)


def _describe(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"a dictionary of {', '.join(map(str, batch))}"
    if isinstance(batch, (tuple, list)):
        return f"{len(batch)} parts of types {', '.join(type(part).__name__ for part in batch)}"
    return f"of type {type(batch).__name__}"
