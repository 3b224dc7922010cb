"""Tasks of one's own: listed classes, classes divided evenly, tasks that the data say, and tasks that code makes."""

import pytest
import torch

import hypermnesia as hm
from hypermnesia.data import LabeledData
from hypermnesia.errors import ConfigurationError
from hypermnesia.tasks import PythonData, given, listed, split


def data(*counts: int) -> LabeledData:
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    names = tuple("abcdefgh"[: len(counts)])
    return LabeledData.divided("letters", torch.rand(len(labels), 2), labels, names, test=0.25)


def test_classes_are_divided_evenly_among_a_number_of_tasks():
    tasks = split(data(*[4] * 7), None, num_tasks=3)
    assert [task.classes for task in tasks] == [("a", "b", "c"), ("d", "e"), ("f", "g")]
    with pytest.raises(ConfigurationError, match="num_tasks=9 is not possible: letters has 7 classes"):
        split(data(*[4] * 7), None, num_tasks=9)
    with pytest.raises(ConfigurationError, match="give that"):
        split(data(4, 4), None)


def test_listed_classes_have_the_order_of_the_list():
    tasks = listed(data(4, 4, 4), [["c", "a"], ["b"]])
    assert [task.num_outputs for task in tasks] == [2, 1]
    assert tasks[0].train.present_classes() == [0, 1]
    _, labels = next(tasks[0].test.in_order(8))
    assert labels.tolist() == [1, 0]  # the stored ones are of a, then of c
    for wrong, message in (
        ([["aa"]], "Did you mean 'a'"),
        ([["a", "a"]], "each once"),
        ([[]], "at least one"),
        ([["z"]], "Its classes: a, b, c"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            listed(data(4, 4, 4), wrong)


def test_every_class_gives_its_share_for_validation_and_small_ones_keep_what_they_have():
    for seed in range(5):
        (task,) = split(data(40, 8, 4), 3, validation=0.2, seed=seed)
        kept = task.train.take(torch.arange(len(task.train)))[1].bincount(minlength=3)
        aside = task.validation.take(torch.arange(len(task.validation)))[1].bincount(minlength=3)
        assert (kept + aside).tolist() == [30, 6, 3]
        assert 5 <= aside[0] <= 7
        assert kept[2] >= 2
    once, again = (split(data(40, 8, 4), 3, validation=0.2, seed=1)[0].validation for _ in range(2))
    assert torch.equal(once._rows, again._rows)


def test_code_makes_tasks_that_set_validation_examples_aside(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some_tasks_of_mine.py").write_text(
        "import torch, hypermnesia as hm\n"
        "def make(number=2):\n"
        "    some = torch.rand(20, 3), torch.arange(20) % 2\n"
        "    return [hm.Task.of(some, test=some, name=f'own {n}') for n in range(number)]\n"
        "def nothing(): return []\n"
        "def numbers(): return [1]\n"
        "def untested(): return [hm.Task.of((torch.rand(2, 3), [0, 1]))]\n"
        "def fails(): return 1 / 0\n"
    )

    def made(call: str, **arguments: object) -> list[hm.Task]:
        data = PythonData(kind="python", call=call, arguments=arguments)
        return data.make_tasks(validation=0.25, seed=0)

    tasks = made("some_tasks_of_mine:make", number=3)
    assert [(len(task.train), len(task.validation)) for task in tasks] == [(15, 5)] * 3
    kept, aside = (
        set(part.take(torch.arange(len(part)))[0][:, 0].tolist()) for part in (tasks[0].train, tasks[0].validation)
    )
    assert not kept & aside
    for call, message in (
        ("some_tasks_of_mine:mke", "no mke in some_tasks_of_mine. Did you mean 'make'"),
        ("some_tasks_of_min:make", "there is no module some_tasks_of_min, neither installed nor in"),
        ("some_tasks_of_mine:nothing", "an empty list"),
        ("some_tasks_of_mine:numbers", "made a int; it must make a list of hypermnesia.Task"),
        ("some_tasks_of_mine:untested", "has no test examples"),
        ("some_tasks_of_mine:fails", "ZeroDivisionError"),
        ("some_tasks_of_mine:__name__", "is no function, but a str"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            made(call)
    with pytest.raises(ConfigurationError, match=r"TypeError: .*numbr.*arguments given: numbr"):
        made("some_tasks_of_mine:make", numbr=3)
    with pytest.raises(
        ConfigurationError, match="call: must name a module and a function in it, as my_module:my_function"
    ):
        PythonData(kind="python", call="no name of a function")


def test_data_without_tasks_give_none():
    with pytest.raises(hm.errors.DataError, match="nothing says which example is of which task"):
        given(data(4, 4))
