"""Fewer training examples: every class in its share, the fewer among the more, and never silently without a class."""

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hypermnesia import data
from hypermnesia.errors import ConfigurationError, Note
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import Examples, Task, permuted, split
from hypermnesia.tasks.fewer_examples import choose_few

DIGITS = data.load("digits")

some_labels = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(torch.tensor)


def choose(labels: torch.Tensor, examples: int | float, seed: int = 0) -> list[int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        chosen = choose_few(labels, examples, Seeds(seed), "task")
    assert chosen is not None
    return chosen.tolist()


@given(some_labels, st.data(), st.integers(0, 3))
def test_the_fewer_are_among_the_more_and_each_class_has_its_share(
    labels: torch.Tensor, choice: st.DataObject, seed: int
) -> None:
    more = choice.draw(st.integers(1, len(labels)))
    fewer = choice.draw(st.integers(1, more))
    chosen = choose(labels, more, seed)
    assert chosen == sorted(set(chosen)) and len(chosen) == more
    assert set(choose(labels, fewer, seed)) <= set(chosen)
    sizes, kept = labels.bincount(minlength=6), labels[chosen].bincount(minlength=6)
    share = more / len(labels)
    # Each class may be one ahead of its share; what these are ahead together, all are behind in proportion.
    for number, size in zip(kept.tolist(), sizes.tolist(), strict=True):
        assert abs(number - share * size) <= 1 + len(sizes) * size / len(labels)
    if more >= int((sizes > 0).sum()):
        assert torch.equal(kept > 0, sizes > 0)


def test_of_equal_classes_each_has_the_same_number() -> None:
    labels = torch.arange(10).repeat(50)
    assert labels[choose(labels, 0.1)].bincount().tolist() == [5] * 10
    assert sorted(labels[choose(labels, 25)].bincount().tolist()) == [2] * 5 + [3] * 5
    assert choose(labels, 25, seed=1) != choose(labels, 25)
    assert choose(labels, 500) == list(range(500))


def test_a_class_left_without_any_is_told() -> None:
    labels = torch.arange(10).repeat(5)
    with pytest.warns(Note, match=r"Task 'coins': 7 training examples leave 3 of its 10 classes without any"):
        choose_few(labels, 7, Seeds(0), "coins")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Note)
        choose_few(labels, 10, Seeds(0), "coins")
        choose_few(labels.to(torch.float32)[:, None], 1, Seeds(0), "a regression has no classes")


@pytest.mark.parametrize("examples", [0, -1, 51, 1.0, 2.5, 0.001, math.nan, math.inf])
def test_what_cannot_be_chosen_says_what_can(examples: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"examples={examples}.*(1 to 50|one or all)"):
        choose_few(torch.arange(10).repeat(5), examples, Seeds(0), "task")


def inputs_of(examples: Examples) -> set[tuple[float, ...]]:
    ((inputs, _),) = examples.in_order(len(examples))
    return set(map(tuple, inputs.flatten(1).tolist()))


@pytest.mark.parametrize("make", [split, permuted])
def test_tasks_are_learned_from_fewer_after_validation_was_set_aside(make) -> None:  # type: ignore[no-untyped-def]
    def second(**how: float) -> Task:
        task: Task = make(DIGITS, num_tasks=2, **how)[1]
        return task

    whole, few, fewer = second(validation=50), second(validation=50, examples=0.2), second(validation=50, examples=20)
    assert len(few.train) == round(0.2 * len(whole.train)) and len(fewer.train) == 20
    assert inputs_of(fewer.train) <= inputs_of(few.train) <= inputs_of(whole.train)
    for task in (few, fewer):
        assert task.validation is not None and whole.validation is not None and task.test is not None
        assert inputs_of(task.validation) == inputs_of(whole.validation)
        assert len(task.test) == len(whole.test or ())
        assert task.num_outputs == whole.num_outputs
    assert inputs_of(second(examples=20).train) != inputs_of(second(examples=20, seed=1).train)
