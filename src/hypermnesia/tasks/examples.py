"""The examples of one split of a task, in tensors, a dataset or a data loader, and their order in training."""

from __future__ import annotations

import abc
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    default_collate,
)

from hypermnesia.errors import DataError
from hypermnesia.problems import REGRESSION, Problem, Targets, problem_of
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.arrays import ArrayLike, as_tensor, scaled
from hypermnesia.tasks.identity import Digest, Identity, content_of_dataset, content_of_loader

Batch = tuple[Shaped[Tensor, "batch *shape"], Targets]
"""Inputs and labels (classes or regression targets); uint8 inputs have become float32 in [0, 1]."""


_LOOKED_AT = 4096
"""Number of examples that are looked at together."""


class Examples(abc.ABC):
    """One split (training, validation or test) of a task; `TensorExamples` where the data fits in memory.

    Attributes:
        input_shape: Shape of one input, such as `(1, 28, 28)`.
        problem: Classification, where labels are integers, or regression, where they are floating-point numbers.
        num_outputs: Number of classes (labels are 0 to this minus 1) or of regression targets an input; None where
            only reading all labels would tell.
    """

    input_shape: tuple[int, ...]
    problem: Problem
    num_outputs: int | None
    _device = torch.device("cpu")
    """Device on which indices of examples are wanted."""

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

    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Iterator[Batch]:
        """Return endless batches for training, shuffled as by `shuffled_batches`, beginning with batch `start`."""
        chosen = shuffled_batches(len(self), batch_size, seeds, start, self._device)
        return (self.take(indices) for indices in chosen)

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
            >>> examples = TensorExamples(torch.eye(3), torch.arange(3), permutation=torch.tensor([2, 0, 1]))
            >>> torch.equal(examples.as_stored(examples.take(torch.arange(3))[0]), torch.eye(3))
            True
        """
        return inputs


class TensorExamples(Examples):
    """Examples in tensors, which several tasks may share: what makes a task is index operations on the batch.

    Batches are made on the device of the tensors.

    Args:
        inputs: Inputs `[n, ...]`: a tensor, a NumPy array or nested lists. uint8 is scaled to float32 in [0, 1] batch
            by batch, floating-point arrays become float32; any other type stays as it is.
        labels: Class numbers from 0, integers `[n]`, or regression targets, floating-point, `[n]` or `[n, targets]`.
        rows: Indices of the examples that belong to this split, in order; None for all.
        classes: Stored label of each class of this task: where it is `[7, 3]`, label 7 becomes 0, and 3
            becomes 1. None leaves labels as they are.
        permutation: Order of the elements of an input: element `i` of the flattened new input is element
            `permutation[i]` of the stored one. None leaves inputs as they are.

    Raises:
        DataError: There are no examples, inputs and labels differ in number, or labels are neither class numbers nor
            regression targets.

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
        inputs: ArrayLike,
        labels: ArrayLike,
        *,
        rows: Int64[Tensor, " rows"] | None = None,
        classes: Int64[Tensor, " classes"] | None = None,
        permutation: Int64[Tensor, " elements"] | None = None,
    ):
        inputs, labels = as_tensor(inputs, "Inputs"), as_tensor(labels, "Labels")
        if inputs.shape[:1] != labels.shape[:1]:
            raise DataError(
                f"Inputs of shape {list(inputs.shape)} and labels of shape {list(labels.shape)} do not fit "
                "together: there must be one label for each of the n inputs."
            )
        if inputs.device != labels.device:
            raise DataError(f"Inputs are on {inputs.device} but labels on {labels.device}; move one to the other.")
        self._inputs, self._device, self._rows, self._permutation = inputs, inputs.device, rows, permutation
        _check_any(self)
        self.input_shape = tuple(inputs.shape[1:])
        self._labels, self.problem = _targets(labels)
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

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        chosen = chosen.to(self._device)
        rows = chosen if self._rows is None else self._rows.index_select(0, chosen)
        inputs = self._inputs.index_select(0, rows)
        if self._permutation is not None:
            # While it is still uint8; on the CPU `gather` takes a quarter of the time of `index_select` here.
            columns = self._permutation.expand(len(rows), -1)
            inputs = inputs.flatten(1).gather(1, columns).view(inputs.shape)
        labels = self._labels.index_select(0, rows)
        return scaled(inputs), labels if self._class_of is None else self._class_of.index_select(0, labels)

    def identity(self) -> Identity:
        """Return what tells these examples from others: their properties, and a digest of all of them."""
        digest = Digest()
        digest.add(self._inputs, self._rows)
        digest.add(self._labels, self._rows)
        for order in (self._permutation, self._class_of):
            if order is not None:
                digest.add(order)
        return {**super().identity(), "type of inputs": str(self._inputs.dtype), "content": digest.text()}

    def present_classes(self) -> list[int]:
        labels = self._labels if self._rows is None else self._labels.index_select(0, self._rows)
        labels = torch.unique(labels)
        present: list[int] = sorted((labels if self._class_of is None else self._class_of[labels]).tolist())
        return present

    def are_targets_one_hot(self) -> bool:
        """Return whether every regression target is a row of zeros with a single one."""
        if self._labels.shape[1] < 2 or len(self) < 2:
            return False
        return bool(((self._labels == 0) | (self._labels == 1)).all()) and bool((self._labels.sum(1) == 1).all())

    def first_not_finite(self) -> int | None:
        # Pixels and tokens are always numbers.
        real = self._inputs.is_floating_point() or self._inputs.is_complex()
        return super().first_not_finite() if real else None

    def as_stored(self, inputs: Shaped[Tensor, "n *shape"]) -> Shaped[Tensor, "n *shape"]:
        if self._permutation is None:
            return inputs
        return inputs.flatten(1)[:, self._permutation.argsort().to(inputs.device)].view_as(inputs)


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
        _check_any(self)
        # The first item tells the problem, but of classes not how many there are.
        inputs, labels = self._batch([0])
        self.input_shape = tuple(inputs.shape[1:])
        self.problem = problem_of(labels)
        self._type = inputs.dtype
        self.num_outputs = labels.shape[1] if self.problem is REGRESSION else None

    def __len__(self) -> int:
        return len(self._dataset)  # type: ignore[arg-type]  # torch declares no length

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        return self._batch(chosen.tolist())

    def identity(self) -> Identity:
        """Return what tells these examples from others; of what is not in memory, some examples are read."""
        content = content_of_dataset(self._dataset)
        return {**super().identity(), "type of inputs": str(self._type), "content": content}

    def _batch(self, indices: list[int]) -> Batch:
        items = [self._dataset[index] for index in indices]
        try:
            batch = self._collate(items)
        except (TypeError, RuntimeError) as error:
            raise DataError(
                f"Examples cannot be put together into a batch: {error} Inputs must be tensors of one shape, "
                "labels integers or floating-point numbers."
            ) from error
        return _checked(batch)


class LoaderExamples(DatasetExamples):
    """Examples from a `torch.utils.data.DataLoader`, in the order and batches that it makes.

    The loader decides how to shuffle and how large batches are, and continuing at a later one means going through the
    earlier ones. Where it has no `generator` of its own, it draws from the seeds that are asked for.

    Args:
        loader: Data loader of a map-style dataset of (input, label) pairs; labels are class numbers from 0 or
            floating-point regression targets.

    Raises:
        DataError: The loader yields nothing, has no length, or its items are no such pairs.

    Example:
        >>> loader = DataLoader([(torch.zeros(2), 0), (torch.ones(2), 1)], batch_size=2)
        >>> next(LoaderExamples(loader).in_order(batch_size=128))[1]
        tensor([0, 1])
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._loader = loader
        if isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
            what = "an IterableDataset" if isinstance(loader.dataset, IterableDataset) else "batch_size=None"
            raise DataError(f"A task's data loader must make batches of a map-style dataset; this one has {what}.")
        try:
            self._num_batches = len(loader)
        except TypeError as error:
            raise DataError(
                "A task's data loader must know its number of batches, but its sampler has no length: give it a method"
                f" __len__. ({error})"
            ) from error
        if self._num_batches == 0:
            raise DataError("A task needs examples, but the data loader yields no batches.")
        # What its items are is read from the dataset: an iterator of the loader would advance its shuffling.
        super().__init__(loader.dataset, loader.collate_fn)

    def __len__(self) -> int:
        return self._length

    @functools.cached_property
    def _length(self) -> int:
        """Number of examples in the batches of one epoch."""
        batches: Any = self._loader.batch_sampler
        if type(batches) is not BatchSampler:
            return sum(len(batch) for batch in batches)
        drawn = len(batches.sampler)  # type: ignore[arg-type]  # torch declares no length
        return drawn - drawn % batches.batch_size if batches.drop_last else drawn

    @functools.cached_property
    def _draws_each_once(self) -> bool:
        """Whether an epoch is every example of the dataset, none of them twice."""
        batches: Any = self._loader.batch_sampler
        number = len(self._loader.dataset)  # type: ignore[arg-type]  # torch declares no length
        sampler = self._loader.sampler
        if type(batches) is BatchSampler and (
            type(sampler) is SequentialSampler or (type(sampler) is RandomSampler and not sampler.replacement)
        ):
            return len(self) == number
        return sorted(itertools.chain.from_iterable(batches)) == list(range(number))

    def identity(self) -> Identity:
        """Return what tells these examples from others, in whatever order the loader draws them."""
        content = content_of_loader(self._loader)
        return {**super().identity(), "number of batches": self._num_batches, "content": content}

    def steps_per_epoch(self, batch_size: int) -> float:
        return self._num_batches

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        """Return the examples with the given indices in the loader's dataset.

        Raises:
            DataError: The loader draws only some of them, or some several times.
        """
        if not self._draws_each_once:
            raise DataError(
                "Examples can be taken by number only where a data loader draws each once; give the dataset itself,"
                " or a torch.utils.data.Subset of it."
            )
        return super().take(chosen)

    def draw(self, number: int, seeds: Seeds) -> Batch:
        # Its batches are of its own size and maybe in order; its dataset may hold what it does not draw. Every example
        # gets a random key, and those of the smallest keys are drawn.
        generator = seeds.generator()
        drawn: list[Tensor] = []
        for inputs, labels in self.in_order(number):
            keys = torch.rand(len(labels), generator=generator, dtype=torch.float64)
            drawn = (
                [torch.cat(parts) for parts in zip(drawn, (inputs, labels, keys), strict=True)]
                if drawn
                else [inputs, labels, keys]
            )
            smallest = drawn[2].argsort()[:number]
            drawn = [part[smallest.to(part.device)] for part in drawn]
        return drawn[0], drawn[1]

    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Iterator[Batch]:
        return map(_checked, itertools.islice(self._drawn(seeds), start, None))

    def _drawn(self, seeds: Seeds) -> Iterator[Any]:
        """Batches of epoch after epoch. What loader and dataset draw from torch's default generator is seeded."""
        for epoch in itertools.count():
            of_epoch = seeds.child("epoch", epoch)
            with of_epoch.default_generator():
                batches = iter(self._loader)
            for number in itertools.count():
                with of_epoch.child(number).default_generator():
                    batch = next(batches, None)
                if batch is None:
                    break
                yield batch

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        return map(_checked, self._loader)

    @property
    def size_of_last_batch(self) -> int | None:
        """Number of examples in the last batch of an epoch; None where the loader's batches are made in its own way."""
        size = self._loader.batch_size
        if size is None:
            return None
        return size if self._loader.drop_last else (len(self) - 1) % size + 1


def shuffled_batches(
    length: int, batch_size: int, seeds: Seeds, start: int = 0, device: torch.device | str = "cpu"
) -> Iterator[Int64[Tensor, " batch"]]:
    """Return endless batches of indices, epoch after epoch, each epoch a new permutation of all of them.

    Nothing is dropped: where an epoch ends inside a batch, the next one fills it. So all batches have the same size,
    `min(batch_size, length)`, and batch `k` depends on the arguments and `k` only: a run can continue at any `start`
    without going through earlier batches.

    Args:
        length: Number of examples.
        batch_size: Largest number of examples in a batch.
        seeds: Seeds of the permutations.
        start: Number of the first batch wanted.
        device: Device of the indices; they are moved once an epoch.

    Example:
        >>> batches = shuffled_batches(5, 3, Seeds(0))
        >>> sorted(torch.cat([next(batches) for _ in range(5)]).tolist())
        [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    """

    def permutation(epoch: int) -> Tensor:
        # Drawn on the CPU: the same order on every device.
        return torch.randperm(length, generator=seeds.child("epoch", epoch).generator()).to(device)

    size = min(batch_size, length)
    epoch, position = divmod(start * size, length)
    order = permutation(epoch)
    while True:
        batch = order[position : position + size]
        position += size
        if position >= length:
            epoch, position = epoch + 1, position - length
            order = permutation(epoch)
            if position:
                batch = torch.cat([batch, order[:position]])
        yield batch


def _checked(batch: Any) -> Batch:
    """A batch that a dataset or loader made, if it is inputs and labels."""
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2 and all(torch.is_tensor(part) for part in batch)):
        raise DataError(
            "Examples must be pairs of an input tensor and an integer or floating-point label; collated into a batch "
            f"these are {_describe(batch)}. Wrap the dataset so that its items are such pairs."
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
    return scaled(inputs), labels


def _check_any(examples: Examples) -> None:
    if len(examples) == 0:
        raise DataError("A task needs examples, but there are none.")


def _describe(batch: Any) -> str:
    if isinstance(batch, (tuple, list)):
        return f"{len(batch)} parts of types {', '.join(type(part).__name__ for part in batch)}"
    return f"of type {type(batch).__name__}"


def _targets(labels: Tensor) -> tuple[Targets, Problem]:
    """Class numbers `[n]` as int64, or regression targets `[n, targets]`; and which problem they belong to."""
    problem = problem_of(labels)
    most = 2 if problem is REGRESSION else 1
    if not 1 <= labels.ndim <= most:
        raise DataError(
            f"Labels have shape {list(labels.shape)}: class numbers must have shape [n], one for each of the n inputs,"
            " and regression targets [n] or [n, targets]."
        )
    if problem is REGRESSION:
        labels = labels if labels.ndim == 2 else labels[:, None]
        if bool((wrong := ~labels.isfinite().all(1)).any()):
            raise DataError(
                f"Labels must be finite numbers, but example {int(wrong.nonzero()[0, 0])}, counted from 0, has"
                f" {labels[wrong][0].tolist()}: leave such examples out, or replace the numbers."
            )
        return labels, problem
    return labels.to(torch.int64), problem


def _check_from_zero(smallest: int) -> None:
    if smallest < 0:
        raise DataError(f"Labels must be class numbers from 0 on, but the smallest is {smallest}.")
