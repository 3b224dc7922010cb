"""An epoch is once through the examples, and a measurement counts what was given, whoever makes the batches."""

import math
from collections import Counter

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler, WeightedRandomSampler

from hypermnesia.errors import DataError
from hypermnesia.tasks import Task
from tests.methods import FEATURES, ONE_EACH, Case

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request) -> Case:
    """Each method."""
    return request.param


class Counted(Dataset):
    """Examples that know how often each was read."""

    def __init__(self, number: int):
        self.inputs = torch.rand(number, FEATURES, generator=torch.Generator().manual_seed(number))
        self.read: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int):
        self.read[int(index)] += 1
        return self.inputs[index], int(index) % 2


class Pairs:
    """A batch sampler of one's own: overlapping pairs, so that inner examples come twice."""

    def __init__(self, number: int):
        self.number = number

    def __len__(self) -> int:
        return self.number - 1

    def __iter__(self):
        return iter([[first, first + 1] for first in range(self.number - 1)])


def loaders(number: int) -> dict[str, DataLoader]:
    data = Counted(number)
    return {
        "small batches": DataLoader(data, batch_size=3, shuffle=True),
        "large batches": DataLoader(data, batch_size=100, shuffle=True),
        "last one dropped": DataLoader(data, batch_size=4, drop_last=True),
        "some drawn twice": DataLoader(data, batch_size=4, sampler=WeightedRandomSampler([1.0] * number, 2 * number)),
        "few drawn": DataLoader(data, batch_size=2, sampler=RandomSampler(data, num_samples=6)),
        "batch sampler": DataLoader(data, batch_sampler=BatchSampler(SequentialSampler(data), 4, drop_last=True)),
        "batches of one's own": DataLoader(data, batch_sampler=Pairs(number)),
    }


FINE_TUNING, HNET = (next(case for case in ONE_EACH if case.method.name == name) for name in ("fine-tuning", "hnet"))


def steps(case: Case, source, **training) -> int:
    counted: list[int] = []
    case.make(training={"learning_rate": 1e-3, **training}).learn(source, monitor=lambda p: counted.append(1))
    return len(counted)


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 5, 6, 7, 13])
def test_an_epoch_of_examples_is_once_through_them_however_few(case, number):
    """As many steps as a loader of the same batch size would make, but that a batch may reach into the next epoch."""
    data = Counted(number)
    pair = (data.inputs, torch.arange(number) % 2)
    expected = math.ceil(3 * number / min(6, number))
    assert steps(case, pair, epochs=3, batch_size=6) == expected
    assert steps(case, data, epochs=3, batch_size=6) == expected
    assert steps(case, pair, epochs=0.1, batch_size=100) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", loaders(11))
def test_an_epoch_of_a_loader_is_once_through_its_batches(case, kind):
    loader = loaders(11)[kind]
    if case.method.name == "joint":
        pytest.skip("learns the examples of all tasks together, in batches of its own")
    assert steps(case, loader, epochs=2.5, batch_size=128) == math.ceil(2.5 * len(loader))


def test_an_example_is_read_as_often_as_there_are_epochs():
    """But for the first item and batch, by which it is seen, in two checks, whether the task can be learned."""
    data = Counted(40)
    HNET.make(training={"epochs": 3}).learn(DataLoader(data, batch_size=20))
    assert sum(data.read.values()) <= 3 * 40 + 2 * 20 + 1
    assert min(data.read[index] for index in range(40)) == 3


@pytest.mark.parametrize("kind", ["small batches", "last one dropped", "batch sampler", "batches of one's own"])
def test_a_measurement_counts_what_the_loader_gives(kind):
    learner = FINE_TUNING.make(scenario="task")
    learner.learn(FINE_TUNING.tasks[0])
    loader = loaders(11)[kind]
    right = torch.cat([(learner.predict(inputs, 0).labels == labels).float() for inputs, labels in loader])
    assert learner.score(loader, task=0) == pytest.approx(right.mean().item())
    assert 0 < right.mean() < 1
    assert len(Task.of(loader).train) == len(right)


@pytest.mark.parametrize("kind", ["some drawn twice", "few drawn"])
def test_a_measurement_counts_what_is_drawn_at_random(kind):
    """Where every answer is right, all of it is."""
    inputs, sampler = Counted(11).inputs, loaders(11)[kind].sampler
    learner = FINE_TUNING.make()
    learner.learn((inputs, torch.zeros(11, dtype=torch.int64)))
    loader = DataLoader([(row, 0) for row in inputs], batch_size=2, sampler=sampler)
    assert learner.score(loader, task=0) == 1.0
    assert len(Task.of(loader).train) == len(sampler)


def test_a_loader_that_does_not_know_its_length_is_refused_with_a_sentence():
    class Endless:
        def __iter__(self):
            return iter(range(5))

    with pytest.raises(DataError, match=r"must know its number of batches.*give it a method __len__"):
        Task.of(DataLoader(Counted(5), sampler=Endless()))
