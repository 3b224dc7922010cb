"""Passes through a data loader: seeded, and with an end for the processes that make its batches."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from hypermnesia.seeds import Seeds


def endless(begin: Callable[[], Iterator[Any]], seeds: Seeds, source: object = None) -> Generator[Any, None, None]:
    """Return batches of pass after pass. What loader and dataset draw is seeded.

    They draw from torch's default generator, or from one that the loader, or its sampler, has of its own; of that, the
    seed counts, and not what else was drawn from it. So a pass is the same whenever it is begun. Workers of a loader
    end with it, or with what reads it.

    Args:
        begin: Begins a pass.
        seeds: Seeds of all passes.
        source: What passes are made of; of other things than data loaders nothing is asked.

    Example:
        >>> batches = endless(lambda: iter("ab"), Seeds(0))
        >>> [next(batches) for _ in range(5)]
        ['a', 'b', 'a', 'b', 'a']
    """
    batches: Iterator[Any] = iter(())
    own = _generators_of(source)
    try:
        for number in itertools.count():
            of_pass = seeds.child("epoch", number)
            with _seeded(of_pass, own):
                batches = begin()
            yield from _drawn(batches, of_pass, own)
    finally:
        _end(batches)


def once(source: DataLoader[Any] | Iterator[Any]) -> Generator[Any, None, None]:
    """Return the batches of one pass, whose workers end with it unless the loader keeps them.

    What loader and dataset draw is the same in each such pass, whatever else draws, and taken from nobody.
    """
    seeds, own = Seeds(0), _generators_of(source)
    with _seeded(seeds, own):
        batches = iter(source)
    try:
        yield from _drawn(batches, seeds, own)
    finally:
        if not getattr(source, "persistent_workers", False):
            _end(batches)


def _drawn(batches: Iterator[Any], seeds: Seeds, own: Iterable[torch.Generator]) -> Iterator[Any]:
    for place in itertools.count():
        with _seeded(seeds.child(place), own):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextlib.contextmanager
def _seeded(seeds: Seeds, own: Iterable[torch.Generator]) -> Iterator[None]:
    """Let torch's default generator and others start at a place in the tree of seeds, and put them back."""
    before = [(generator, generator.get_state()) for generator in own]
    with seeds.default_generator():
        for generator, _ in before:
            generator.manual_seed(seeds.child("own", generator.initial_seed()).integer())
        try:
            yield
        finally:
            for generator, state in before:
                generator.set_state(state)


def _generators_of(source: object) -> list[torch.Generator]:
    """Generators that a data loader has of its own, or its samplers have; each once."""
    if not isinstance(source, DataLoader):
        return []
    parts = [source, source.sampler, source.batch_sampler, getattr(source.batch_sampler, "sampler", None)]
    found = (getattr(part, "generator", None) for part in parts)
    return list({id(each): each for each in found if isinstance(each, torch.Generator)}.values())


def end_kept_workers(loader: DataLoader[Any]) -> None:
    """End the workers that a loader keeps from one pass to the next; it starts others when it is used again."""
    _end(loader._iterator)
    loader._iterator = None


def _end(batches: object) -> None:
    if isinstance(batches, _MultiProcessingDataLoaderIter):
        batches._shutdown_workers()
