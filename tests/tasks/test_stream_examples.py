"""Iterable datasets are tasks: one pass an epoch, in their own order, and the run that was stopped goes on."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import hypermnesia as hm
from hypermnesia.errors import DataError, Note, StopLearning
from hypermnesia.seeds import Seeds
from tests.nested import equal

COUNT = 7


class Stream(IterableDataset):
    """Examples that come one after another, with noise from torch's default generator if asked for."""

    def __init__(self, count=COUNT, noise=0.0):
        self.count, self.noise = count, noise

    def __iter__(self):
        for number in range(self.count):
            yield torch.tensor([float(number), 1.0]) + self.noise * torch.rand(2), number % 2


def numbers(batches, some):
    return [inputs[:, 0].int().tolist() for inputs, _ in (next(batches) for _ in range(some))]


def test_batches_are_those_of_pass_after_pass():
    examples = hm.Task.of(Stream()).train
    assert len(examples) == COUNT
    assert examples.steps_per_epoch(3) == 3
    assert numbers(examples.batches(3, Seeds(0)), 4) == [[0, 1, 2], [3, 4, 5], [6], [0, 1, 2]]
    assert numbers(examples.batches(3, Seeds(0), start=2), 2) == [[6], [0, 1, 2]]


def test_a_loader_of_one_makes_its_own_batches():
    examples = hm.Task.of(DataLoader(Stream(), batch_size=4)).train
    assert len(examples) == COUNT
    assert examples.steps_per_epoch(100) == 2
    assert numbers(examples.batches(100, Seeds(0)), 3) == [[0, 1, 2, 3], [4, 5, 6], [0, 1, 2, 3]]


def test_drawn_examples_are_some_of_all_and_the_same_each_time():
    examples = hm.Task.of(Stream()).train
    inputs, labels = examples.draw(4, Seeds(1))
    assert len(set(inputs[:, 0].tolist())) == 4
    assert torch.equal(labels, inputs[:, 0].long() % 2)
    assert torch.equal(examples.draw(4, Seeds(1))[0], inputs)


@pytest.mark.parametrize("kind", [hm.HypernetworkLearner, hm.EWCLearner, hm.ExperienceReplayLearner, hm.LwFLearner])
def test_a_stopped_learner_goes_on_with_the_same_stream(kind, tmp_path):
    def made():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return kind(nn.Linear(2, 2), training={"iterations": 6, "batch_size": 3})

    stopped = made()

    def stop(progress):
        if progress.iteration == 4:
            raise StopLearning

    calm = hm.Task.of(Stream(), name="calm")
    with pytest.raises(StopLearning):
        stopped.learn(calm, monitor=stop)
    with pytest.raises(DataError, match="another content"):
        stopped.learn(hm.Task.of(Stream(noise=1.0), name="calm"))
    stopped.save(tmp_path / "file")
    resumed = hm.load(tmp_path / "file", nn.Linear(2, 2))
    resumed.learn(calm)
    expected = made()
    expected.learn(calm)
    assert equal(resumed.state_dict(), expected.state_dict())


def test_what_cannot_be_done_with_a_stream_is_said():
    with pytest.raises(DataError, match="the iterable dataset gives none"):
        hm.Task.of(Stream(0))
    with pytest.raises(DataError, match="cannot be taken by number"):
        hm.JointLearner(nn.Linear(2, 2), training={"iterations": 2}).learn(Stream())


def test_who_waits_for_a_long_stream_is_told_once_what_is_going_on(monkeypatch):
    monkeypatch.setattr("hypermnesia.tasks.stream_examples._MANY", 2000)
    with pytest.warns(Note, match="has given .* examples and goes on.* let it end") as told:
        assert len(hm.Task.of(Stream(5000)).train) == 5000
    assert len(told) == 1
