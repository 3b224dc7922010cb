"""A task can be made of whatever holds the examples; what cannot be one is refused with the way out."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from jaxtyping import config as jaxtyping_config
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.tasks import DatasetExamples, LoaderExamples, Task, TensorExamples

INPUTS, LABELS = torch.rand(6, 4), torch.arange(6) % 3
DATASET = TensorDataset(INPUTS, LABELS)


class Stream(IterableDataset[object]):
    def __iter__(self) -> Iterator[object]:
        return iter(())


def test_every_source_becomes_the_examples_that_suit_it() -> None:
    subset = torch.utils.data.Subset(DATASET, [0, 1])
    task = Task.of((INPUTS, LABELS), test=subset, validation=DataLoader(DATASET), name="toy")
    assert (task.name, task.num_outputs) == ("toy", 3)
    assert isinstance(task.train, TensorExamples)
    assert isinstance(task.test, DatasetExamples)
    assert isinstance(task.validation, LoaderExamples)
    assert isinstance(Task.of(DATASET).train, TensorExamples)
    assert Task.of(task) is task
    assert Task.of(subset).num_outputs is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Stream(), "needs examples, but the iterable dataset gives none"),
        (DataLoader(Stream()), "needs examples, but the iterable dataset gives none"),
        (DataLoader(DATASET, batch_size=None), "this one has batch_size=None"),
        (DataLoader(TensorDataset(INPUTS[:0], LABELS[:0])), "yields no batches"),
        ((INPUTS, LABELS, LABELS), r"cannot be made of a tuple of 3.*tuple \(inputs, labels\)"),
        (np.zeros(3), "cannot be made of a ndarray"),
        ("mnist", "cannot be made of a str"),
    ],
)
def test_other_sources_are_refused(source: object, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As users run it: the run-time type checks of the tests would speak before the package does.
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)
    with pytest.raises(DataError, match=message):
        Task.of(source)  # type: ignore[arg-type]


def test_splits_must_fit_together() -> None:
    with pytest.raises(DataError, match=r"'toy': test inputs have shape \[3\], training inputs \[4\]"):
        Task.of((INPUTS, LABELS), test=(INPUTS[:, :3], LABELS), name="toy")
    with pytest.raises(DataError, match=r"test labels go up to 3, but training labels to 2.*classes=\.\.\."):
        Task.of((INPUTS, LABELS), test=(INPUTS, LABELS + 1))
    task = Task.of((INPUTS, LABELS), test=(INPUTS, LABELS + 1), classes=("a", "b", "c", "d"))
    with pytest.raises(DataError, match="test labels go up to 3, but it has 3 classes, 0 to 2"):
        dataclasses.replace(task, classes=("a", "b", "c"))
    with pytest.raises(DataError, match="test examples have 1 regression targets, training examples 2"):
        Task.of((INPUTS, INPUTS[:, :2]), test=(INPUTS, INPUTS[:, 0]))


def test_a_task_has_its_splits_and_classes_already() -> None:
    for more in ({"test": DATASET}, {"classes": ("a", "b", "c")}):
        with pytest.raises(ConfigurationError, match=r"dataclasses.replace"):
            Task.of(Task.of(DATASET), **more)


def test_classes_of_ones_own_task_have_names() -> None:
    task = Task.of(DATASET, test=(INPUTS, LABELS), classes=["cat", "dog", "eel", "fox"])
    assert (task.classes, task.num_outputs) == (("cat", "dog", "eel", "fox"), 4)
    with pytest.raises(DataError, match="train labels go up to 2, but it has 2 classes"):
        Task.of(DATASET, classes=["cat", "dog"])
    with pytest.raises(DataError, match="regression targets, so it has no classes to name"):
        Task.of((INPUTS, INPUTS), classes=["cat", "dog"])
