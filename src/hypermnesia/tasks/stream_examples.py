"""Examples that come one after another: of an iterable dataset."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Generator, Iterable, Iterator
from typing import Any, cast

from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from hypermnesia.criteria import label_kind
from hypermnesia.errors import DataError, note
from hypermnesia.inputs import shape_of, type_of
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.dataset_examples import checked_batch, collating
from hypermnesia.tasks.examples import Batch, Examples, drawn_from
from hypermnesia.tasks.identity import Identity, content_of_stream
from hypermnesia.tasks.passes import end_kept_workers, endless, once

_MANY = 1_000_000
"""Examples after which somebody who waits is told what is going on."""


class StreamExamples(Examples):
    """Examples of a `torch.utils.data.IterableDataset` that comes to an end, or of a data loader of one.

    They come in the order that the dataset gives, each pass through it an epoch, and cannot be taken by number. To know
    their number, they are counted once. Of a dataset, batches have the size that is asked for; a loader makes its own.

    Args:
        source: Iterable dataset of (input, label) pairs, or a data loader of one.

    Raises:
        DataError: It gives nothing, or no such pairs.

    Example:
        >>> import torch
        >>> class Numbers(IterableDataset):
        ...     def __iter__(self):
        ...         return ((torch.tensor([float(number)]), number % 2) for number in range(5))
        >>> len(StreamExamples(Numbers())), next(StreamExamples(Numbers()).in_order(3))[1].tolist()
        (5, [0, 1, 0])
    """

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        try:
            inputs, labels = checked_batch(next(self._pass(2)))
        except StopIteration:
            raise DataError("A task needs examples, but the iterable dataset gives none.") from None
        self.input_shape, self.input_type = shape_of(inputs), type_of(inputs)
        self.labels, self.label_shape = label_kind(labels), tuple(labels.shape[1:])
        self.num_outputs = labels.shape[1] if self.labels == "numbers" else None

    def __len__(self) -> int:
        return sum(self._sizes)

    @functools.cached_property
    def _sizes(self) -> list[int]:
        """Number of examples in each batch of a pass."""
        sizes, counted = [], 0
        for batch in self._pass(1024):
            sizes.append(len(checked_batch(batch)[1]))
            counted += sizes[-1]
            if counted >= _MANY > counted - sizes[-1]:
                note(
                    f"An iterable dataset has given {counted:,} examples and goes on; they are counted before they are"
                    " learned. If it never ends, let it end, as itertools.islice does, at as many as make an epoch."
                )
        return sizes

    def steps_per_epoch(self, batch_size: int) -> float:
        return len(self._sizes) if isinstance(self._source, DataLoader) else -(-len(self) // batch_size)

    def take(self, chosen: Int64[Tensor, " chosen"]) -> Batch:
        """Refuse: examples of a stream have no numbers.

        Raises:
            DataError: Always.
        """
        raise DataError(
            "Examples of an IterableDataset cannot be taken by number: give a dataset with __len__ and __getitem__, or"
            " list(dataset)."
        )

    def draw(self, number: int, seeds: Seeds) -> Batch:
        return drawn_from(self.in_order(number), number, seeds)

    def batches(self, batch_size: int, seeds: Seeds, start: int = 0) -> Generator[Batch, None, None]:
        self.close()  # workers that a loader keeps go on with what they have drawn: so they begin anew
        with contextlib.closing(endless(lambda: self._pass(batch_size), seeds, self._source)) as drawn:
            yield from map(self._ready, itertools.islice(drawn, start, None))

    def close(self) -> None:
        """End workers that a loader keeps from one epoch to the next; it starts others when it is used again."""
        if isinstance(self._source, DataLoader):
            end_kept_workers(self._source)

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        return map(self._ready, once(self._source if isinstance(self._source, DataLoader) else self._pass(batch_size)))

    def identity(self) -> Identity:
        """Return what tells these examples from others; they are read twice for it."""
        return {**super().identity(), "content": content_of_stream(lambda: self.in_order(1024))}

    def _pass(self, batch_size: int) -> Iterator[Any]:
        """Batches of one pass, as they are made."""
        if isinstance(self._source, DataLoader):
            return iter(self._source)
        first = next(iter(self._source), None)
        if first is None:
            return iter(())
        dataset = cast(IterableDataset[Any], self._source)
        return iter(DataLoader(dataset, batch_size, collate_fn=collating(first)))

    def _ready(self, batch: Any) -> Batch:
        inputs, labels = checked_batch(batch)
        return self._prepare(inputs), labels
