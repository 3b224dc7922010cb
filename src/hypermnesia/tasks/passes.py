"""Passes through a data loader: seeded, and with an end for the processes that make its batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from hypermnesia.seeds import Seeds


def endless(begin: Callable[[], Iterator[Any]], seeds: Seeds) -> Generator[Any, None, None]:
    """Return batches of pass after pass. What loader and dataset draw from torch's default generator is seeded.

    Workers of a loader end with it, or with what reads it.

    Args:
        begin: Begins a pass.
        seeds: Seeds of all passes.

    Example:
        >>> batches = endless(lambda: iter("ab"), Seeds(0))
        >>> [next(batches) for _ in range(5)]
        ['a', 'b', 'a', 'b', 'a']
    """
    batches: Iterator[Any] = iter(())
    try:
        for number in itertools.count():
            of_pass = seeds.child("epoch", number)
            with of_pass.default_generator():
                batches = begin()
            yield from _drawn(batches, of_pass)
    finally:
        _end(batches)


def once(source: DataLoader[Any] | Iterator[Any]) -> Generator[Any, None, None]:
    """Return the batches of one pass, whose workers end with it unless the loader keeps them.

    What loader and dataset draw from torch's default generator is the same in each such pass, whatever else draws.
    """
    seeds = Seeds(0)
    with seeds.default_generator():
        batches = iter(source)
    try:
        yield from _drawn(batches, seeds)
    finally:
        if not getattr(source, "persistent_workers", False):
            _end(batches)


def _drawn(batches: Iterator[Any], seeds: Seeds) -> Iterator[Any]:
    for place in itertools.count():
        with seeds.child(place).default_generator():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def end_kept_workers(loader: DataLoader[Any]) -> None:
    """End the workers that a loader keeps from one pass to the next; it starts others when it is used again."""
    _end(loader._iterator)
    loader._iterator = None


def _end(batches: object) -> None:
    if isinstance(batches, _MultiProcessingDataLoaderIter):
        batches._shutdown_workers()
