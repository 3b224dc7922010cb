"""Batches of data loaders whose own worker processes make them."""

import multiprocessing

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import hypermnesia as hm
from tests.nested import equal, snapshot
from tests.stopping import Stopped, stop_at

TRAINING = {"epochs": 3, "learning_rate": 0.01}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true"),
]


class Augmented(Dataset):
    """Examples to which whoever reads them adds noise from torch's default generator."""

    def __init__(self, broken: int | None = None):
        self.broken = broken

    def __len__(self):
        return 20

    def __getitem__(self, index):
        if index == self.broken:
            raise OSError("unreadable")
        return index / 20 + 0.1 * torch.rand(4), index % 2


def loader(persistent: bool, **options) -> DataLoader:
    dataset = options.pop("dataset", Augmented())
    return DataLoader(
        dataset, 6, shuffle=True, num_workers=2, persistent_workers=persistent, pin_memory=True, **options
    )


def learner() -> hm.HypernetworkLearner:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hm.HypernetworkLearner(nn.Linear(4, 2), chunk_size=5, training=TRAINING)


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_batches_go_on_exactly_and_workers_end_with_the_call(persistent):
    whole, stopped, same = learner(), learner(), loader(persistent)
    during = []

    def monitor(progress):
        during.append(len(multiprocessing.active_children()))

    whole.learn(same, monitor=monitor)
    assert set(during) >= {2}
    assert not multiprocessing.active_children()
    with pytest.raises(Stopped):
        stopped.learn(same, monitor=stop_at(6))  # amid the second epoch
    assert not multiprocessing.active_children()
    stopped.learn(same)
    assert equal(snapshot(stopped.state_dict()), snapshot(whole.state_dict()))
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("where", ["monitor", "dataset"])
def test_workers_end_whatever_ends_the_call(persistent, where):
    made = loader(persistent, dataset=Augmented(broken=13 if where == "dataset" else None))

    def monitor(progress):
        if where == "monitor":
            raise ValueError("of the monitor")

    with pytest.raises((ValueError, OSError)) as raised:
        learner().learn(made, monitor=monitor)
    assert not multiprocessing.active_children()  # although the traceback is held
    assert raised.value is not None


def test_workers_that_measure_validation_examples_end_too():
    train, validation = loader(True), loader(True)
    made = learner()
    made.training = made.training.model_copy(update={"early_stopping": {"patience": 1}})
    made.learn(hm.Task.of(train, validation=validation))
    assert not multiprocessing.active_children()


def test_batches_of_workers_are_those_of_the_loader():
    alone, working = DataLoader(Augmented(), 6), DataLoader(Augmented(), 6, num_workers=2)
    for one, other in zip(*(hm.Task.of(each).train.in_order(6) for each in (alone, working)), strict=True):
        assert torch.equal(one[1], other[1])
