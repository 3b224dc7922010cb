"""The examples of one split of a task, whatever they are stored in: tensors, a dataset, or a data loader."""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from hypermnesia.errors import DataError
from hypermnesia.problems import REGRESSION, Problem, Targets, problem_of
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.shuffle import shuffled_batches

Batch = tuple[Shaped[Tensor, "batch *shape"], Targets]
"""Inputs and labels, or numbers to be predicted; uint8 inputs have become float32 in [0, 1]."""


class Examples(abc.ABC):
    """One split (training, validation or test) of a task; `TensorExamples` where the data fits in memory.

    Attributes:
        input_shape: Shape of one input, such as `(1, 28, 28)`.
        problem: What is asked: a class, where labels are integers; numbers, where they are floating-point.
        num_outputs: Classes (labels are 0 to this minus 1) or numbers of a target; None where only reading all would
            tell.
    """

    input_shape: tuple[int, ...]
    problem: Problem
    num_outputs: int | None

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many examples there are."""

    @abc.abstractmethod
    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        """Those examples, by their numbers from 0 to the length minus 1."""

    def draw(self, number: int, seeds: Seeds) -> Batch:
        """So many of them, each at most once, at random and in random order; all where there are not as many."""
        return next(self.batches(number, seeds))

    @abc.abstractmethod
    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Iterator[Batch]:
        """Endless batches for training, from number `start` on."""

    @abc.abstractmethod
    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Every example once, always in the same order; the last batch may be smaller."""

    def as_stored(self, inputs: Shaped[Tensor, "n *shape"]) -> Shaped[Tensor, "n *shape"]:
        """Inputs like these with every element where it is stored: a permuted image as one that people can read.

        Args:
            inputs: Of this split, or such as imitate it, in the order in which :meth:`take` gives their elements.

        Example:
            >>> examples = TensorExamples(torch.eye(3), torch.arange(3), permutation=torch.tensor([2, 0, 1]))
            >>> torch.equal(examples.as_stored(examples.take(torch.arange(3))[0]), torch.eye(3))
            True
        """
        return inputs


class TensorExamples(Examples):
    """Examples in tensors, which several tasks may share: what makes a task is index operations on the batch.

    Batches are shuffled as by `shuffled_batches`. They are made on the device the tensors are on.

    Args:
        inputs: `[n, ...]`. uint8 is scaled to float32 in [0, 1] batch by batch; any other type is left as it
        is.
        labels: `[n]`, integers from 0; or numbers to be predicted, `[n]` or `[n, numbers]`, floating-point.
        rows: Which examples belong to this split, in which order; None: all of them.
        classes: The stored label of each class of this task: where it is `[7, 3]`, label 7 becomes 0, and 3
            becomes 1. None leaves labels as they are.
        permutation: Of the elements of an input: element `i` of the flattened new input is element
            `permutation[i]` of the stored one. None leaves inputs as they are.

    Raises:
        DataError: No examples, unequal numbers of inputs and labels, or labels that are neither class numbers nor
            numbers to be predicted.

    Example:
        >>> examples = TensorExamples(torch.eye(4), torch.tensor([7, 3, 3, 1]), rows=torch.tensor([0, 2]),
        ...                           classes=torch.tensor([7, 3]))
        >>> next(examples.in_order(batch_size=8))
        (tensor([[1., 0., 0., 0.],
                [0., 0., 1., 0.]]), tensor([0, 1]))
    """

    num_outputs: int

    def __init__(
        self,
        inputs: Shaped[Tensor, "n *shape"],
        labels: Shaped[Tensor, "n *numbers"],
        *,
        rows: Int64[Tensor, " rows"] | None = None,
        classes: Int64[Tensor, " classes"] | None = None,
        permutation: Int64[Tensor, " elements"] | None = None,
    ):
        self._labels, self.problem = _targets(labels)
        if len(inputs) != len(labels):
            raise DataError(
                f"Inputs of shape {list(inputs.shape)} and labels of shape {list(labels.shape)} do not fit "
                "together: there must be one label for each of the n inputs."
            )
        if inputs.device != labels.device:
            raise DataError(f"Inputs are on {inputs.device} but labels on {labels.device}; move one to the other.")
        self._inputs = inputs
        self.input_shape = tuple(inputs.shape[1:])
        self._rows = rows
        self._permutation = permutation
        if len(self) == 0:
            raise DataError("A task needs examples, but there are none.")
        self._class_of: Tensor | None = None
        if self.problem is REGRESSION:
            self.num_outputs = self._labels.shape[1]
        else:
            self._number_classes(classes)

    def _number_classes(self, classes: Int64[Tensor, " classes"] | None) -> None:
        used = self._labels if self._rows is None else self._labels.index_select(0, self._rows)
        low, high = (int(bound) for bound in torch.aminmax(used))
        _check_from_zero(low)
        self.num_outputs = high + 1
        if classes is not None:
            self.num_outputs = len(classes)
            self._class_of = torch.full((max(high, int(classes.max())) + 1,), -1, device=used.device)
            self._class_of[classes] = torch.arange(len(classes), device=used.device)
            if len(strangers := torch.unique(used[self._class_of[used] < 0])):
                raise DataError(
                    f"Labels {strangers.tolist()} are not among the classes of this task, {classes.tolist()}."
                )

    def __len__(self) -> int:
        return len(self._inputs if self._rows is None else self._rows)

    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Iterator[Batch]:
        device = self._inputs.device
        return (self.take(chosen) for chosen in shuffled_batches(len(self), batch_size, seeds, start, device))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        everything = torch.arange(len(self), device=self._inputs.device)
        return (self.take(everything[start : start + batch_size]) for start in range(0, len(self), batch_size))

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        chosen = chosen.to(self._inputs.device)
        rows = chosen if self._rows is None else self._rows.index_select(0, chosen)
        inputs = self._inputs.index_select(0, rows)
        if self._permutation is not None:
            # While it is still uint8; on the CPU `gather` takes a quarter of the time of `index_select` here.
            columns = self._permutation.expand(len(rows), -1)
            inputs = inputs.flatten(1).gather(1, columns).view(inputs.shape)
        labels = self._labels.index_select(0, rows)
        return _scaled(inputs), labels if self._class_of is None else self._class_of.index_select(0, labels)

    def as_stored(self, inputs: Shaped[Tensor, "n *shape"]) -> Shaped[Tensor, "n *shape"]:
        if self._permutation is None:
            return inputs
        return inputs.flatten(1)[:, self._permutation.argsort().to(inputs.device)].view_as(inputs)


class DatasetExamples(Examples):
    """Examples of any map-style `torch.utils.data.Dataset` of (input, label) pairs.

    Batches are shuffled as by `shuffled_batches`. A dataset that augments at random draws from a source of
    its own, so its runs cannot be repeated bit for bit.

    Args:
        dataset: Has a length and integer indices; labels are integers from 0, or floating-point numbers.

    Raises:
        DataError: It is empty, or its items are no such pairs.

    Example:
        >>> pairs = [(torch.zeros(2), 0), (torch.ones(2), 1)]
        >>> next(DatasetExamples(pairs).in_order(batch_size=2))
        (tensor([[0., 0.],
                [1., 1.]]), tensor([0, 1]))
    """

    def __init__(self, dataset: Dataset[Any] | Sequence[Any]):
        self._dataset = dataset
        if len(self) == 0:
            raise DataError("A task needs examples, but the dataset has none.")
        inputs, labels = self.take(torch.tensor([0]))
        self.input_shape = tuple(inputs.shape[1:])
        self.problem, self.num_outputs = _of_first(labels)

    def __len__(self) -> int:
        return len(self._dataset)  # type: ignore[arg-type]  # torch declares no length

    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Iterator[Batch]:
        return (self.take(chosen) for chosen in shuffled_batches(len(self), batch_size, seeds, start))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        return (self.take(chosen) for chosen in torch.split(torch.arange(len(self)), batch_size))

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        return _checked(_collate(default_collate, [self._dataset[row] for row in chosen.tolist()]))


class LoaderExamples(Examples):
    """Examples from a `torch.utils.data.DataLoader`, in the order and batches that it makes.

    It decides on its own how to shuffle, so the seeds and batch sizes asked for have no effect, and
    continuing at a later batch means going through the earlier ones. For runs that can be repeated give it a
    seeded `generator`.

    Args:
        loader: Of a map-style dataset of (input, label) pairs; labels are integers from 0, or floating-point numbers.

    Raises:
        DataError: It yields nothing, has no length, or its items are no such pairs.

    Example:
        >>> loader = DataLoader([(torch.zeros(2), 0), (torch.ones(2), 1)], batch_size=2)
        >>> next(LoaderExamples(loader).in_order(batch_size=128))[1]
        tensor([0, 1])
    """

    def __init__(self, loader: DataLoader[Any]):
        self._loader = loader
        if isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
            what = "an IterableDataset" if isinstance(loader.dataset, IterableDataset) else "batch_size=None"
            raise DataError(f"A task's data loader must make batches of a map-style dataset; this one has {what}.")
        if len(loader) == 0:
            raise DataError("A task needs examples, but the data loader yields no batches.")
        # Not from an iterator of the loader, which would advance its shuffling.
        inputs, labels = _checked(_collate(loader.collate_fn, [loader.dataset[0]]))
        self.input_shape = tuple(inputs.shape[1:])
        self.problem, self.num_outputs = _of_first(labels)

    def __len__(self) -> int:
        if self._loader.drop_last and self._loader.batch_size is not None:
            return len(self._loader) * self._loader.batch_size
        return len(self._loader.sampler)  # type: ignore[arg-type]  # torch declares none

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        """Those examples of the loader's dataset.

        Raises:
            DataError: The loader draws only some of them, or several times.
        """
        if len(self) != len(self._loader.dataset):  # type: ignore[arg-type]  # torch declares no length
            raise DataError(
                "Examples can be taken by number only where a data loader draws each once; give the dataset itself,"
                " or a torch.utils.data.Subset of it."
            )
        return _checked(_collate(self._loader.collate_fn, [self._loader.dataset[row] for row in chosen.tolist()]))

    def draw(self, number: int, seeds: Seeds) -> Batch:
        # Its batches are of its own size and maybe in order; its dataset may hold what it does not draw.
        generator, first = seeds.generator(), 0
        chosen = torch.randperm(len(self), generator=generator)[:number]
        parts = []
        for inputs, labels in self.in_order(number):
            here = chosen[(chosen >= first) & (chosen < first + len(labels))] - first
            parts.append((inputs[here], labels[here]))
            first += len(labels)
        inputs, labels = (torch.cat(column) for column in zip(*parts, strict=True))
        order = torch.randperm(len(labels), generator=generator)
        return inputs[order], labels[order]

    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Iterator[Batch]:
        epochs = itertools.chain.from_iterable(itertools.repeat(self._loader))
        return map(_checked, itertools.islice(epochs, start, None))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        return map(_checked, self._loader)


def _collate(collate: Callable[[list[Any]], Any], items: list[Any]) -> Any:
    try:
        return collate(items)
    except (TypeError, RuntimeError) as error:
        raise DataError(
            f"Examples cannot be put together into a batch: {error} Inputs must be tensors of one shape, "
            "labels integers."
        ) from error


def _checked(batch: Any) -> Batch:
    """A collated batch of somebody else's making, if it is inputs and class numbers."""
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2 and all(torch.is_tensor(part) for part in batch)):
        raise DataError(
            "Examples must be pairs of an input tensor and an integer label; collated into a batch these are "
            f"{_describe(batch)}. Wrap the dataset so that its items are such pairs."
        )
    inputs, labels = batch
    labels, problem = _targets(labels)
    if labels.shape[:1] != inputs.shape[:1]:
        raise DataError(
            f"A batch has inputs of shape {list(inputs.shape)} but labels of shape {list(labels.shape)}; "
            "each input needs one label."
        )
    if problem is not REGRESSION:
        _check_from_zero(int(labels.min()))
    return _scaled(inputs), labels


def _of_first(labels: Targets) -> tuple[Problem, int | None]:
    """What one example tells: the problem, and how many outputs it takes, where that can be told."""
    problem = problem_of(labels)
    return problem, labels.shape[1] if problem is REGRESSION else None


def _describe(batch: Any) -> str:
    if isinstance(batch, (tuple, list)):
        return f"{len(batch)} parts of types {', '.join(type(part).__name__ for part in batch)}"
    return f"of type {type(batch).__name__}"


def _targets(labels: Tensor) -> tuple[Targets, Problem]:
    """Class numbers `[n]` as int64, or numbers to be predicted `[n, numbers]`; and which they are."""
    problem = problem_of(labels)
    most = 2 if problem is REGRESSION else 1
    if not 1 <= labels.ndim <= most:
        raise DataError(
            f"Labels have shape {list(labels.shape)}: class numbers must have shape [n], one for each of the n inputs,"
            " and numbers to be predicted [n] or [n, numbers]."
        )
    if problem is REGRESSION:
        return labels if labels.ndim == 2 else labels[:, None], problem
    return labels.to(torch.int64), problem


def _check_from_zero(smallest: int) -> None:
    if smallest < 0:
        raise DataError(f"Labels must be class numbers from 0 on, but the smallest is {smallest}.")


def _scaled(inputs: Tensor) -> Tensor:
    """Gray levels as float32 in [0, 1]; other inputs as they are."""
    return inputs.to(torch.float32).div_(255) if inputs.dtype == torch.uint8 else inputs
