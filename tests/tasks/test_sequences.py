"""Split and permuted task sequences: what each task holds, and on what its chance depends."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from hypermnesia import data
from hypermnesia.data import ImageDataset
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.tasks import Examples, permuted, split

DIGITS = data.load("digits")


def all_of(examples: Examples | None) -> tuple[Tensor, Tensor]:
    assert examples is not None
    ((inputs, labels),) = examples.in_order(len(examples))
    return inputs, labels


@settings(max_examples=15)
@given(st.integers(1, 10), st.booleans(), st.integers(0, 3), st.data())
def test_split_deals_out_every_image_of_its_classes_once(
    classes_per_task: int, shuffle: bool, seed: int, choice: st.DataObject
) -> None:
    num_tasks = choice.draw(st.integers(1, 10 // classes_per_task))
    tasks = split(DIGITS, classes_per_task, num_tasks=num_tasks, shuffle_classes=shuffle, seed=seed)
    names = [name for task in tasks for name in task.classes or ()]
    assert len(set(names)) == len(names) == num_tasks * classes_per_task
    for task in tasks:
        for images, labels, examples in (
            (DIGITS.train_images, DIGITS.train_labels, task.train),
            (DIGITS.test_images, DIGITS.test_labels, task.test),
        ):
            inputs, within = all_of(examples)
            original = torch.tensor([int(name) for name in task.classes or ()])[within]
            mine = torch.isin(labels, original.unique())
            assert torch.equal(inputs, images[mine] / 255)
            assert torch.equal(original, labels[mine])


def test_split_in_order_by_default_and_shuffled_by_seed() -> None:
    assert [task.classes for task in split("digits")] == [(str(c), str(c + 1)) for c in range(0, 10, 2)]
    first, again, other = ([task.name for task in split(DIGITS, shuffle_classes=True, seed=seed)] for seed in (0, 0, 1))
    assert first == again != other


def test_permuted_moves_the_pixels_of_every_image_alike() -> None:
    first, second, third = permuted(DIGITS, 3, padding=2)
    for split_name, images in (("train", DIGITS.train_images), ("test", DIGITS.test_images)):
        plain, labels = all_of(getattr(first, split_name))
        assert torch.equal(plain, functional.pad(images, [2] * 4) / 255)
        for task in (second, third):
            moved, its_labels = all_of(getattr(task, split_name))
            assert moved.shape == plain.shape
            assert not torch.equal(moved, plain)
            assert torch.equal(moved.flatten(1).sort().values, plain.flatten(1).sort().values)
            assert torch.equal(its_labels, labels)
            assert torch.equal(task.train.as_stored(moved), plain)
    assert not torch.equal(all_of(second.test)[0], all_of(third.test)[0])


def test_a_permutation_depends_on_seed_and_number_alone() -> None:
    def inputs(seed: int, num_tasks: int) -> Tensor:
        return all_of(permuted(DIGITS, num_tasks, seed=seed)[2].test)[0]

    assert torch.equal(inputs(0, 3), inputs(0, 7))
    assert not torch.equal(inputs(0, 3), inputs(1, 3))


def test_permuted_tasks_share_one_copy_of_the_images() -> None:
    first, second = permuted(DIGITS, 2)
    storages = {task.train._inputs.untyped_storage().data_ptr() for task in (first, second)}  # type: ignore[attr-defined]
    assert len(storages) == 1


@pytest.mark.parametrize(("validation", "count"), [(100, 100), (0.25, 359)])
def test_validation_is_set_aside_from_training(validation: float, count: int) -> None:
    first, second = permuted(DIGITS, 2, validation=validation)
    assert (len(first.train), len(first.validation or ())) == (1437 - count, count)
    together = torch.cat([all_of(first.train)[0], all_of(first.validation)[0]]).flatten(1)
    assert sorted(together.tolist()) == sorted((DIGITS.train_images / 255).flatten(1).tolist())
    assert not torch.equal(all_of(first.validation)[1], all_of(second.validation)[1])

    task = split(DIGITS, validation=30)[1]
    assert (task.num_outputs, len(task.validation or ())) == (2, 30)
    assert split(DIGITS)[0].validation is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: split(DIGITS, 11), r"classes_per_task=11.*digits has 10 classes.*1 to 10"),
        (lambda: split(DIGITS, 0), r"classes_per_task=0"),
        (lambda: split(DIGITS, 3, num_tasks=4), r"num_tasks=4 with classes_per_task=3.*1 to 3"),
        (lambda: split(DIGITS, validation=100_000), r"validation=100000.*training examples"),
        (lambda: split(DIGITS, validation=0.0001), r"validation=0.0001"),
        (lambda: split(DIGITS, validation=-1), r"validation=-1"),
        (lambda: split(DIGITS, validation=2.5), r"validation=2.5"),
        (lambda: split(DIGITS, validation=float("nan")), r"validation=nan"),
        (lambda: permuted(DIGITS, 0), "num_tasks must be 1 or more, not 0"),
        (lambda: permuted(DIGITS, padding=-1), "padding must be 0 or more, not -1"),
        (lambda: permuted(DIGITS, validation=1437), r"validation=1437.*1437 training examples.*up to 1436"),
        (lambda: split("digit"), r"mean 'digits'"),
    ],
)
def test_what_is_not_possible_says_what_is(make: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()  # type: ignore[operator]


def test_a_task_without_examples_is_refused() -> None:
    images, labels = torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1])
    dataset = ImageDataset("toy", images, labels, images, labels, ("a", "b", "c"))
    with pytest.raises(DataError, match="'toy c': there are 0 training"):
        split(dataset, 1)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: split("digits", [5, 3, 2]), r"classes_per_task must be a whole number such as 3, not \[5, 3, 2\]"),
        (lambda: split("digits", num_tasks=2.0), r"num_tasks must be a whole number such as 3, not 2\.0"),
        (lambda: permuted("digits", "2"), "num_tasks must be a whole number such as 3, not '2'"),
        (lambda: permuted(3), "dataset must be an ImageDataset or one of the names digits, .* not a int"),
        (lambda: split(None), "dataset must be an ImageDataset or one of the names digits, .* not a NoneType"),
        (lambda: split("digits", seed="0"), "seed must be a whole number"),
    ],
)
def test_arguments_of_the_wrong_type_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


@pytest.mark.usefixtures("unchecked")
def test_numbers_of_numpy_are_numbers():
    for make in (lambda n, s: split(DIGITS, n, shuffle_classes=True, seed=s), lambda n, s: permuted(DIGITS, n, seed=s)):
        ours, theirs = make(2, 3), make(np.int64(2), np.int64(3))
        assert [task.name for task in ours] == [task.name for task in theirs]
        assert torch.equal(all_of(ours[1].train)[0], all_of(theirs[1].train)[0])
