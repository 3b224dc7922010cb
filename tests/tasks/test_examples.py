"""Examples give the same batches whatever they are stored in."""

import itertools
from typing import Any

import pytest
import torch
from jaxtyping import config as jaxtyping_config
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from hypermnesia.errors import DataError
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import DatasetExamples, Examples, LoaderExamples, TensorExamples
from hypermnesia.tasks.union import UnionExamples

INPUTS = torch.arange(10 * 6, dtype=torch.uint8).view(10, 1, 2, 3) * 4
LABELS = torch.tensor([5, 7, 5, 7, 3, 5, 5, 7, 7, 3])
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
]


@pytest.fixture
def as_users_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time shape checks of the tests, which would speak before the package does."""
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)


def take(examples: Examples, count: int, batch_size: int = 4, start: int = 0) -> list[tuple[Tensor, Tensor]]:
    return list(itertools.islice(examples.batches(batch_size, Seeds(3), start), count))


def assert_equal(first: list[tuple[Tensor, Tensor]], second: list[tuple[Tensor, Tensor]]) -> None:
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_rows_classes_permutation_and_scale_are_applied_together(device: str) -> None:
    rows, classes, permutation = torch.tensor([8, 0, 3]), torch.tensor([7, 5]), torch.randperm(6)
    examples = TensorExamples(
        INPUTS.to(device),
        LABELS.to(device),
        rows=rows.to(device),
        classes=classes.to(device),
        permutation=permutation.to(device),
    )
    inputs, labels = (torch.cat(parts) for parts in zip(*examples.in_order(batch_size=2), strict=True))
    expected = (INPUTS[rows].flatten(1)[:, permutation] / 255).view(3, 1, 2, 3)
    torch.testing.assert_close(inputs.cpu(), expected, rtol=0, atol=0)
    assert labels.tolist() == [0, 1, 0]
    assert inputs.device.type == labels.device.type == device
    assert (len(examples), examples.input_shape, examples.num_outputs) == (3, (1, 2, 3), 2)


def test_only_gray_levels_are_scaled() -> None:
    for kind in (torch.float32, torch.float64, torch.int64):
        (inputs, _), *_ = TensorExamples(INPUTS.to(kind), LABELS).in_order(10)
        torch.testing.assert_close(inputs, INPUTS.to(kind), rtol=0, atol=0)


def test_a_dataset_gives_what_its_tensors_give() -> None:
    tensors = TensorExamples(INPUTS, LABELS)
    dataset = DatasetExamples(TensorDataset(INPUTS, LABELS))
    assert (len(dataset), dataset.input_shape) == (len(tensors), tensors.input_shape)
    assert_equal(take(tensors, 7), take(dataset, 7))
    assert_equal(list(tensors.in_order(3)), list(dataset.in_order(3)))


def test_a_batch_depends_on_its_number_alone() -> None:
    for examples in (TensorExamples(INPUTS, LABELS), DatasetExamples(TensorDataset(INPUTS, LABELS))):
        assert_equal(take(examples, 8)[5:], take(examples, 3, start=5))


def test_a_loader_cycles_in_its_own_batches() -> None:
    examples = LoaderExamples(DataLoader(TensorDataset(INPUTS, LABELS), batch_size=4))
    assert (len(examples), examples.input_shape) == (10, (1, 2, 3))
    assert [len(labels) for _, labels in take(examples, 6, batch_size=128)] == [4, 4, 2, 4, 4, 2]
    assert_equal(take(examples, 6)[2:], take(examples, 4, start=2))
    assert sum(len(labels) for _, labels in examples.in_order(1)) == 10
    assert len(LoaderExamples(DataLoader(TensorDataset(INPUTS, LABELS), batch_size=4, drop_last=True))) == 8


def test_looking_at_a_loader_does_not_advance_its_shuffling() -> None:
    def order(look: bool) -> list[int]:
        generator = torch.Generator().manual_seed(0)
        loader = DataLoader(TensorDataset(INPUTS, LABELS), batch_size=4, shuffle=True, generator=generator)
        examples = LoaderExamples(loader)
        if look:
            assert examples.input_shape == (1, 2, 3)
        return [int(inputs.sum() * 255) for inputs, _ in examples.in_order(4)]

    assert order(look=True) == order(look=False)


def seeded(kind: str, seed: int = 0) -> tuple[LoaderExamples, torch.Generator]:
    """A loader that shuffles by a generator of its own, or whose sampler does."""
    pairs, generator = TensorDataset(INPUTS, LABELS), torch.Generator().manual_seed(seed)
    weighted = WeightedRandomSampler(torch.arange(1.0, 11.0), 10, generator=generator)
    loaders: dict[str, dict[str, Any]] = {
        "shuffled": {"batch_size": 4, "shuffle": True, "generator": generator},
        "weighted": {"batch_size": 4, "sampler": weighted},
        "in batches": {"batch_sampler": BatchSampler(weighted, 4, drop_last=False)},
    }
    return LoaderExamples(DataLoader(pairs, **loaders[kind])), generator


@pytest.mark.parametrize("kind", ["shuffled", "weighted", "in batches"])
def test_batches_depend_on_their_number_alone_also_by_a_generator_of_the_loader_s_own(kind: str) -> None:
    """On its seed, too, but not on what was drawn from it before; and what it draws for others stays the same."""
    examples, generator = seeded(kind)
    batches = take(examples, 6)
    torch.rand(3, generator=generator)
    state = generator.get_state()
    assert_equal(batches[2:], take(examples, 4, start=2))
    assert_equal(list(examples.in_order(4)), list(examples.in_order(4)))
    assert torch.equal(generator.get_state(), state)
    assert_equal(batches, take(seeded(kind)[0], 6))
    with pytest.raises(AssertionError):
        assert_equal(batches, take(seeded(kind, seed=1)[0], 6))
    with pytest.raises(AssertionError):
        assert_equal(batches[:3], batches[3:])  # epochs differ


@pytest.mark.usefixtures("as_users_run_it")
@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (INPUTS, LABELS[:9], r"\[10, 1, 2, 3\] and labels of shape \[9\]"),
        (INPUTS, LABELS[0], r"labels of shape \[\]"),
        (INPUTS[:0], LABELS[:0], "there are none"),
        (INPUTS, LABELS > 3, "must be integers.*not torch.bool"),
        (INPUTS, LABELS - 4, "the smallest is -1"),
    ],
)
def test_unsuitable_tensors_have_their_message(inputs: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TensorExamples(inputs, labels)


def test_labels_that_are_not_of_the_task_are_named() -> None:
    with pytest.raises(DataError, match=r"Labels \[3\] are not among the classes of this task, \[5, 7\]"):
        TensorExamples(INPUTS, LABELS, classes=torch.tensor([5, 7]))


class Items(Dataset[object]):
    def __init__(self, *items: object):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> object:
        return self.items[index]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ((), "there are none"),
        (((torch.zeros(2), True),), "must be integers.*not torch.bool"),
        (((torch.zeros(2), -1),), "the smallest is -1"),
        (
            (torch.zeros(2),),
            "pairs of an input tensor .* and an integer or floating-point label.*of type Tensor",
        ),
        (((torch.zeros(2), 0, "path"),), "3 parts of types Tensor, Tensor, tuple"),
        (((torch.zeros(2), "cat"),), "2 parts of types Tensor, tuple"),
        (((object(), 0),), "cannot be put together into a batch.*object"),
        (((torch.zeros(2), 0), (torch.zeros(3), 1)), "cannot be put together.*tensors of one shape"),
    ],
)
def test_unsuitable_items_have_their_message(items: tuple[object, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(DatasetExamples(Items(*items)).in_order(2))


class Odd(Dataset[object]):
    """No tensors to be taken from directly."""

    def __len__(self) -> int:
        return len(LABELS)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return INPUTS[index], int(LABELS[index])


def kinds() -> dict[str, Examples]:
    """The same ten examples, stored in every way; the loader's own order and batches are others."""
    generator = torch.Generator().manual_seed(0)
    pairs = TensorDataset(INPUTS, LABELS)
    return {
        "tensors": TensorExamples(INPUTS, LABELS),
        "dataset": DatasetExamples(Odd()),
        "loader": LoaderExamples(DataLoader(pairs, batch_size=3, shuffle=True, generator=generator)),
        "union": UnionExamples(
            [TensorExamples(INPUTS[:4], LABELS[:4]), DatasetExamples(Items(*list(pairs)[4:]))], [ALL, ALL], 9
        ),
    }


@pytest.mark.parametrize("kind", ["tensors", "dataset", "loader", "union"])
@pytest.mark.parametrize("chosen", [[3], [9, 0, 4], [2, 2, 7, 2], list(range(10))], ids=str)
def test_examples_are_taken_by_their_numbers_in_the_order_asked_for(kind: str, chosen: list[int]) -> None:
    inputs, labels = kinds()[kind].take(torch.tensor(chosen))
    torch.testing.assert_close(inputs, INPUTS[chosen] / 255, rtol=0, atol=0)
    assert torch.equal(labels, LABELS[chosen])


def test_tensors_are_taken_by_their_place_in_the_split() -> None:
    rows, classes = torch.tensor([8, 0, 3]), torch.tensor([7, 5])
    examples = TensorExamples(INPUTS, LABELS, rows=rows, classes=classes)
    inputs, labels = examples.take(torch.tensor([2, 1]))
    torch.testing.assert_close(inputs, INPUTS[[3, 0]] / 255, rtol=0, atol=0)
    assert labels.tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["tensors", "dataset", "union"])
def test_examples_in_order_are_those_taken_one_after_the_other(kind: str) -> None:
    examples = kinds()[kind]
    assert_equal([examples.take(part) for part in torch.arange(10).split(4)], list(examples.in_order(4)))


@pytest.mark.parametrize(
    "some",
    [
        {"batch_size": 4, "drop_last": True},
        {"sampler": SubsetRandomSampler([1, 2, 5])},
        {"sampler": RandomSampler(range(10), num_samples=25, replacement=True)},
    ],
    ids=["drops the last batch", "a sampler of a subset", "draws again"],
)
def test_a_loader_that_does_not_draw_each_example_once_cannot_be_taken_from(some: dict[str, Any]) -> None:
    examples = LoaderExamples(DataLoader(TensorDataset(INPUTS, LABELS), **some))
    union = UnionExamples([TensorExamples(INPUTS, LABELS), examples], [ALL, ALL], 9)
    assert len(union) == 10 + len(examples)
    for chosen, of in ((0, examples), (10, union)):
        with pytest.raises(DataError, match=r"draws each once.*the dataset itself.*torch\.utils\.data\.Subset"):
            of.take(torch.tensor([chosen]))
    # Of the other part they can.
    assert union.take(torch.tensor([3]))[1].tolist() == [7]


@pytest.mark.parametrize("kind", ["tensors", "dataset", "loader", "union"])
def test_examples_are_drawn_at_random_each_at_most_once(kind: str) -> None:
    def drawn(number: int, seed: int) -> list[int]:
        inputs, labels = kinds()[kind].draw(number, Seeds(seed))
        places = [int(image.flatten()[0] * 255 / 24 + 0.5) for image in inputs]  # whose first gray level is 24 · place
        torch.testing.assert_close(inputs, INPUTS[places] / 255, rtol=0, atol=0)
        assert labels.tolist() == LABELS[places].tolist()
        return places

    for number in (1, 4, 10):
        assert len(set(drawn(number, 0))) == number
    assert sorted(drawn(50, 0)) == list(range(10))
    assert drawn(4, 0) == drawn(4, 0)
    assert len({tuple(drawn(4, seed)) for seed in range(5)}) == 5
    # Every place comes first now and then.
    assert {drawn(1, seed)[0] for seed in range(80)} == set(range(10))
    assert {drawn(10, seed)[0] for seed in range(80)} == set(range(10))


def test_a_loader_draws_only_from_what_it_gives() -> None:
    loader = DataLoader(TensorDataset(INPUTS, LABELS), batch_size=2, sampler=SubsetRandomSampler([1, 2, 5]))
    inputs, labels = LoaderExamples(loader).draw(3, Seeds(0))
    assert sorted(labels.tolist()) == sorted(LABELS[[1, 2, 5]].tolist())
    assert len(inputs) == 3


ALL = slice(0, 9)
PLACES = [slice(0, 9), slice(10, 19), slice(3, 12)]


def parts() -> list[Examples]:
    """Five, three and two of the examples, each stored in another way."""
    return [
        TensorExamples(INPUTS[:5], LABELS[:5]),
        DatasetExamples(Items(*list(TensorDataset(INPUTS, LABELS))[5:8])),
        LoaderExamples(DataLoader(TensorDataset(INPUTS[8:], LABELS[8:]), batch_size=1)),
    ]


def test_a_union_gives_what_one_set_of_all_examples_gives_whose_labels_are_shifted() -> None:
    union = UnionExamples(parts(), PLACES, 20)
    shifted = LABELS + torch.tensor([0] * 5 + [10] * 3 + [3] * 2)
    whole = TensorExamples(INPUTS, shifted)
    assert (len(union), union.input_shape, union.num_outputs) == (10, (1, 2, 3), 20)
    for batch_size in (1, 4, 10, 99):
        assert_equal(take(union, 7, batch_size), take(whole, 7, batch_size))
        assert_equal(list(union.in_order(batch_size)), list(whole.in_order(batch_size)))
    assert_equal(take(union, 8)[5:], take(union, 3, start=5))
    assert [labels.tolist() for _, labels in union.in_order(5)] == [shifted[:5].tolist(), shifted[5:].tolist()]


def test_a_union_may_hold_unions_and_the_same_part_again() -> None:
    part = TensorExamples(INPUTS, LABELS)
    union = UnionExamples(
        [UnionExamples([part, part], [ALL, slice(100, 109)], 110), part], [slice(1000, 1110), ALL], 1200
    )
    assert len(union) == 30
    _, labels = union.take(torch.tensor([29, 10, 0]))
    assert labels.tolist() == [3, 1105, 1005]


def test_a_union_has_a_place_for_each_part() -> None:
    with pytest.raises(ValueError, match="shorter"):
        UnionExamples(parts(), [ALL, ALL], 9)
