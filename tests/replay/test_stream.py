"""Batches of replayed inputs: equal shares, few generated networks, and each batch a function of seeds and number."""

import pytest
import torch

from hypermnesia.replay import ReplayStream
from hypermnesia.replay.protected import ProtectedReplayModel
from hypermnesia.seeds import Seeds

BLOCK = 50  # batches that are made at a time


class Remembered(ProtectedReplayModel):
    """Replays the noise it is given and the number of the task, and counts how often it is asked."""

    def __init__(self, num_tasks: int):
        self.input_shape = (3,)
        self.asked: list[int] = []
        self._tasks = num_tasks

    @property
    def num_tasks(self) -> int:
        return self._tasks

    @property
    def past(self) -> list[int]:
        return list(range(self._tasks))

    def latents(self, number: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(number, 2, generator=generator)

    def replay(self, task: int, latents: torch.Tensor) -> torch.Tensor:
        self.asked.append(task)
        return torch.cat([latents, torch.full((len(latents), 1), float(task))], dim=1)

    def _loss(self, generate, inputs):
        raise NotImplementedError

    def _expected(self, outputs):
        raise NotImplementedError


def label(inputs: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
    return torch.stack([inputs.sum(1), tasks.float()], dim=1)


def stream(model: ProtectedReplayModel, batch_size: int = 4, seed: int = 0) -> ReplayStream:
    return ReplayStream(model, batch_size, label, Seeds(seed))


def batch(replay: ReplayStream, iteration: int) -> tuple[torch.Tensor, ...]:
    replay.prepare(iteration)
    return tuple(part.clone() for part in replay.batch()[:3])


@pytest.mark.parametrize(("num_tasks", "batch_size"), [(1, 4), (3, 4), (4, 4), (7, 3), (9, 4), (13, 1)])
def test_tasks_have_equal_shares_in_every_run_of_batches_also_across_blocks(num_tasks, batch_size):
    replay = stream(Remembered(num_tasks), batch_size)
    tasks = torch.cat([batch(replay, i)[2] for i in range(2 * BLOCK + 3)])
    assert torch.equal(tasks, torch.arange(len(tasks)) % num_tasks)


def test_inputs_and_targets_are_those_of_their_tasks():
    replay = stream(Remembered(5))
    for iteration in (0, 3, BLOCK):
        inputs, targets, tasks = batch(replay, iteration)
        assert torch.equal(inputs[:, -1], tasks.float())
        assert torch.equal(targets, label(inputs, tasks))


def test_a_batch_depends_on_the_seeds_and_its_number_only():
    model = Remembered(3)
    replay = stream(model)
    whole = [batch(replay, i) for i in range(BLOCK + 10)]
    for iteration in (0, 59, 3, 50, 49, 2, 2):
        assert all(map(torch.equal, batch(replay, iteration), whole[iteration]))
    # resumed in the middle of a block
    for start in (17, BLOCK + 4):
        resumed = stream(Remembered(3))
        for iteration in range(start, start + 5):
            assert all(map(torch.equal, batch(resumed, iteration), whole[iteration]))
    assert not torch.equal(batch(stream(model, seed=1), 0)[0], whole[0][0])


def test_no_noise_comes_twice():
    replay = stream(Remembered(3))
    noise = torch.cat([batch(replay, i)[0][:, :2] for i in range(2 * BLOCK + 1)])
    assert len(noise.unique(dim=0)) == len(noise)


def test_the_network_of_a_past_task_is_generated_once_a_block():
    model = Remembered(3)
    replay = stream(model)
    for iteration in range(BLOCK):
        replay.prepare(iteration)
    assert sorted(model.asked) == [0, 1, 2]
    for iteration in range(BLOCK, 3 * BLOCK):
        replay.prepare(iteration)
    assert sorted(model.asked) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_batch_stays_in_the_same_storage():
    """What a CUDA graph has recorded reads there."""
    replay = stream(Remembered(3))
    places = [part.data_ptr() for part in replay.batch()[:3]]
    shapes = [part.shape for part in replay.batch()[:3]]
    for iteration in (1, BLOCK, 7):
        replay.prepare(iteration)
        assert [part.data_ptr() for part in replay.batch()[:3]] == places
    assert [tuple(shape) for shape in shapes] == [(4, 3), (4, 2), (4,)]
