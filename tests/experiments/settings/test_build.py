"""Tasks made of several datasets, as settings describe them."""

from pathlib import Path

import pytest

from hypermnesia.data.cifar import CIFAR_10, CIFAR_100
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.build import build_tasks
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.tasks import split
from tests.cifar_files import write_cifar
from tests.runs import load

pytestmark = pytest.mark.filterwarnings("ignore::hypermnesia.errors.Note")  # of made-up data


def parts(*settings: str) -> Experiment:
    without = [] if any(each.startswith("data=") for each in settings) else ["data=null"]
    return load("split-digits", [*without, "device=cpu", *settings])


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cifar")
    for published in (CIFAR_10, CIFAR_100):
        write_cifar(directory, published, 200)
    return directory


CIFAR = "tasks={kind: parts, parts: [{data: cifar-10, classes_per_task: 10}, {data: cifar-100, classes_per_task: 10,"


def test_parts_are_the_splits_one_after_another(cifar: Path) -> None:
    tasks = build_tasks(parts(f"{CIFAR} num_tasks: 5}}]}}"), cifar)
    same = split("cifar-10", 10, directory=cifar) + split("cifar-100", 10, num_tasks=5, directory=cifar)
    assert [(task.name, task.classes) for task in tasks] == [(task.name, task.classes) for task in same]
    for ours, theirs in zip(tasks, same, strict=True):
        assert all(
            one.equal(other)
            for one, other in zip(next(ours.train.in_order(1000)), next(theirs.train.in_order(1000)), strict=True)
        )
    assert tasks[0].name == "cifar-10 airplane/…/truck" and len({task.name for task in tasks}) == 6


def test_what_is_drawn_differs_between_datasets_and_is_the_same_where_one_comes_again(cifar: Path) -> None:
    two = "{data: cifar-100, classes_per_task: 10, num_tasks: 2}"
    coarse = "{data: cifar-100-coarse, classes_per_task: 2, num_tasks: 1}"
    tasks = build_tasks(
        parts(f"tasks={{kind: parts, parts: [{two}, {coarse}, {two}], validation: 5, examples: 10}}"), cifar
    )

    def drawn(number: int) -> list[list[int]]:
        inputs = [next(each.in_order(100))[0] for each in (tasks[number].validation, tasks[number].train) if each]
        return [each.sum(dim=(1, 2, 3)).tolist() for each in inputs]

    assert [(len(task.validation or ()), len(task.train)) for task in tasks] == [(5, 10)] * 5
    assert drawn(0) == drawn(3) and drawn(1) == drawn(4)
    assert len({str(drawn(number)) for number in range(3)}) == 3
    assert [task.name.endswith("(2)") for task in tasks] == [False, False, False, True, True]


def test_positions_of_validation_differ_between_parts_of_equal_size(cifar: Path) -> None:
    """Even where two datasets have as many images, others of them are set aside."""
    sides = [
        f"tasks={{kind: parts, parts: [{{data: {name}, classes_per_task: {classes}}}], validation: 0.5}}"
        for name, classes in (("cifar-100", 100), ("cifar-100-coarse", 20))
    ]
    aside = [build_tasks(parts(side), cifar)[0].validation for side in sides]
    first, second = (next(each.in_order(1000))[0].sum(dim=(1, 2, 3)).tolist() for each in aside if each)
    assert len(first) == len(second) == 100 and first != second


def test_order_of_all_tasks_may_be_drawn_from_the_seed(cifar: Path) -> None:
    orders = [
        [
            task.name
            for task in build_tasks(parts(f"{CIFAR} num_tasks: 5}}], shuffle_tasks: {flag}}}", f"seed={seed}"), cifar)
        ]
        for flag, seed in (("false", 0), ("false", 1), ("true", 0), ("true", 0), ("true", 1))
    ]
    assert orders[0] == orders[1] != orders[2] == orders[3] != orders[4]
    assert len({tuple(sorted(order)) for order in orders}) == 1


def test_datasets_of_different_shapes_are_refused(cifar: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'digits 0/1' have shape \[1, 8, 8\], .*cifar-10.* \[3, 32, 32\]"):
        build_tasks(parts("tasks={kind: parts, parts: [{data: digits}, {data: cifar-10}]}"), cifar)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["tasks={kind: parts, parts: []}"], r"tasks.parts: must have at least 1 entry, not \[\]\.$"),
        (["tasks={kind: parts, parts: [{data: cifr-10}]}"], r"tasks.parts.0.data: 'cifr-10' is not .*mean 'cifar-10'"),
        (["tasks={kind: parts, parts: [{classes_per_task: 3}]}"], r"run.\ntasks.parts.0.data: missing.$"),
        (["tasks={kind: parts}"], r"tasks.parts: missing"),
        (["tasks={kind: parts, parts: [{data: digits}]}", "data={name: digits}"], r"kind=parts names the data of each"),
        (["tasks={kind: parts, parts: [{data: digits, first_task: -1}]}"], r"tasks.parts.0.first_task: should be"),
        (["tasks={kind: parts, parts: [{data: digits, validation: 1}]}"], r"tasks.parts.0.validation: unknown setting"),
    ],
)
def test_what_is_wrong_with_parts_has_one_sentence(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        parts(*settings)
    assert len(str(caught.value).splitlines()) == 2
