"""Sequences of several datasets: tasks as they were, in the order given or drawn, under names of their own."""

import pytest

from hypermnesia import data
from hypermnesia.errors import ConfigurationError
from hypermnesia.tasks import join, permuted, polynomials, split

DIGITS = data.load("digits")


def test_tasks_stay_as_they_are_in_the_order_given() -> None:
    first, second = split(DIGITS, 5), split(DIGITS, 3)
    assert join(first, second) == [*first, *second]


def test_names_differ_even_where_a_task_comes_again() -> None:
    names = [task.name for task in join(split(DIGITS, 5), permuted(DIGITS, 2), split(DIGITS, 5), split(DIGITS, 5)[1:])]
    assert names == [
        *("digits 0/1/2/3/4", "digits 5/6/7/8/9", "digits, permutation 0", "digits, permutation 1"),
        *("digits 0/1/2/3/4 (2)", "digits 5/6/7/8/9 (2)", "digits 5/6/7/8/9 (3)"),
    ]


def test_all_tasks_are_shuffled_by_the_seed() -> None:
    parts = split(DIGITS, 2), split(DIGITS, 3)
    orders = [tuple(task.name for task in join(*parts, shuffle=True, seed=seed)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == sorted(task.name for part in parts for task in part)


def test_what_no_network_can_learn_together_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'digits 0/1' have shape \[1, 8, 8\], .* 0' \[1, 10, 10\]"):
        join(split(DIGITS), permuted(DIGITS, padding=1))
    points = split(DIGITS, num_tasks=1)
    with pytest.raises(ConfigurationError, match="one shape"):
        join(points, polynomials())
    with pytest.raises(ConfigurationError, match="no tasks"):
        join([], [])


def test_a_split_goes_on_where_another_ended() -> None:
    whole = split(DIGITS, 2, shuffle_classes=True, validation=10, seed=3)
    rest = split(DIGITS, 2, shuffle_classes=True, validation=10, seed=3, first_task=2, num_tasks=2)
    assert [task.name for task in rest] == [task.name for task in whole[2:4]]
    for one, other in zip(whole[2:4], rest, strict=True):
        ours, theirs = (next(task.validation.in_order(10)) for task in (one, other) if task.validation)
        assert ours[0].equal(theirs[0]) and ours[1].equal(theirs[1])
    for first, message in ((5, "first_task=5 .* suffice for 5"), (-1, "first_task=-1")):
        with pytest.raises(ConfigurationError, match=message):
            split(DIGITS, 2, first_task=first)
    with pytest.raises(ConfigurationError, match="suffice for 1 to 2 such tasks after the first 3"):
        split(DIGITS, 2, first_task=3, num_tasks=3)
