"""Examples from a data loader, in the order and batches that it makes."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Generator, Iterator
from typing import Any

from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, SequentialSampler

from hypermnesia.errors import DataError
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.dataset_examples import DatasetExamples
from hypermnesia.tasks.examples import Batch, drawn_from
from hypermnesia.tasks.identity import Identity, content_of_loader
from hypermnesia.tasks.passes import end_kept_workers, endless, once


class LoaderExamples(DatasetExamples):
    """Examples from a `torch.utils.data.DataLoader`, in the order and batches that it makes.

    The loader decides how to shuffle and how large batches are, and continuing at a later one means going through the
    earlier ones. It draws from the seeds that are asked for, and from that of a `generator` of its own.

    Args:
        loader: Data loader of a map-style dataset of (input, label) pairs; labels are class numbers from 0 or
            floating-point regression targets.

    Raises:
        DataError: The loader yields nothing, has no length, or its items are no such pairs.

    Example:
        >>> import torch
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
        # Its batches are of its own size and maybe in order; its dataset may hold what it does not draw.
        return drawn_from(self.in_order(number), number, seeds)

    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Generator[Batch, None, None]:
        # Workers draw, too, and those that are kept go on with what they have drawn: so they begin anew.
        self.close()
        with contextlib.closing(endless(lambda: iter(self._loader), seeds, self._loader)) as drawn:
            yield from map(self._ready, itertools.islice(drawn, start, None))

    def close(self) -> None:
        """End workers that the loader keeps from one epoch to the next; it starts others when it is used again."""
        end_kept_workers(self._loader)

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        return map(self._ready, once(self._loader))

    def _ready(self, batch: Any) -> Batch:
        inputs, labels = self._checked(batch)
        return self._prepare(inputs), labels

    @property
    def size_of_last_batch(self) -> int | None:
        """Number of examples in the last batch of an epoch; None where the loader's batches are made in its own way."""
        size = self._loader.batch_size
        if size is None:
            return None
        return size if self._loader.drop_last else (len(self) - 1) % size + 1
