"""The training order: everything once an epoch, equal batches, and no memory of how one got there."""

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from hypermnesia.seeds import Seeds
from hypermnesia.tasks.shuffled_batches import shuffled_batches

lengths, sizes, starts = st.integers(1, 20), st.integers(1, 25), st.integers(0, 30)


@given(lengths, sizes)
def test_every_epoch_holds_everything_once(length: int, size: int) -> None:
    batches = list(itertools.islice(shuffled_batches(length, size, Seeds(1)), 3 * length))
    assert {len(batch) for batch in batches} == {min(size, length)}
    visited = torch.cat(batches)
    for epoch in visited[: len(visited) // length * length].view(-1, length):
        assert sorted(epoch.tolist()) == list(range(length))


@given(lengths, sizes, starts)
def test_starting_later_is_skipping(length: int, size: int, start: int) -> None:
    skipped = itertools.islice(shuffled_batches(length, size, Seeds(1)), start, start + 5)
    started = itertools.islice(shuffled_batches(length, size, Seeds(1), start), 5)
    assert [batch.tolist() for batch in skipped] == [batch.tolist() for batch in started]


def test_seeds_and_epochs_have_orders_of_their_own() -> None:
    first, second = itertools.islice(shuffled_batches(50, 50, Seeds(1)), 2)
    other = next(shuffled_batches(50, 50, Seeds(2)))
    assert len({tuple(order.tolist()) for order in (first, second, other)}) == 3
