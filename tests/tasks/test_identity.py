"""What tells examples of one task from others: all that is in memory, and some of what is not."""

import random

import jaxtyping
import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, SubsetRandomSampler, TensorDataset

from hypermnesia.tasks import Task, TensorExamples
from hypermnesia.tasks.identity import Digest, differences


def text(tensor: torch.Tensor, rows: torch.Tensor | None = None) -> str:
    digest = Digest()
    digest.add(tensor, rows)
    return digest.text()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32, torch.float64, torch.bfloat16, torch.bool])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (700, 901)], ids=str)
def test_every_change_of_a_tensor_shows(dtype, shape):
    tensor = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert text(tensor) == text(tensor.clone())
    for place in {0, tensor.numel() // 2, tensor.numel() - 1}:
        other = tensor.clone()
        other.view(-1)[place] = 1 - int(other.view(-1)[place])
        assert text(other) != text(tensor)
    assert text(tensor[None]) != text(tensor)
    assert text(tensor.to(torch.int32)) != text(tensor)


def test_the_order_of_rows_shows_and_where_a_tensor_lies_does_not():
    table = torch.randn(3000, 100, generator=torch.Generator().manual_seed(0))
    assert text(table.flip(0)) != text(table)
    assert text(table.flip(1)) != text(table)
    swapped = table.clone()
    swapped[[10, 2000]] = table[[2000, 10]]
    assert text(swapped) != text(table)
    assert text(table.T.contiguous().T) == text(table)
    buffer = torch.empty(3000 * 100 + 1)
    buffer[1:] = table.reshape(-1)  # begins at no multiple of eight bytes
    assert text(buffer[1:].view(3000, 100)) == text(table)
    rows = torch.randperm(3000)[:2500]
    assert text(table, rows) == text(table[rows])


def test_tasks_that_share_tensors_differ_in_rows_classes_and_permutations():
    inputs, labels = torch.rand(10, 4), torch.arange(10) % 2
    first, last = torch.arange(5), torch.arange(5, 10)
    tasks = [
        Task("a", TensorExamples(inputs, labels, **given))
        for given in (
            {},
            {"rows": first},
            {"rows": last},
            {"classes": torch.tensor([1, 0])},
            {"permutation": torch.tensor([3, 2, 1, 0])},
            {"permutation": torch.tensor([0, 2, 1, 3])},
        )
    ]
    for place, task in enumerate(tasks):
        for other_place, other in enumerate(tasks):
            assert (differences(task.identity(), other.identity()) == []) == (place == other_place)


class Augmented(Dataset):
    """Inputs with noise from every source of chance; a cache that fills; a counter."""

    def __init__(self, labels: torch.Tensor):
        self.labels, self.read = labels, 0
        self.cache = torch.zeros(len(labels))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        self.read += 1
        self.cache[index] += 1
        noise = torch.rand(3) + random.random() + np.random.rand()
        return noise, int(self.labels[index])


def test_augmented_examples_are_recognized_by_their_labels_and_no_chance_is_used(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # checks of types use chance
    labels = torch.arange(50) % 3
    task, same = (Task.of(Augmented(labels)) for _ in range(2))
    before = [torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()]
    assert differences(task.identity(), same.identity()) == []
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()
    other = Task.of(Augmented((labels + 1) % 3))
    assert differences(task.identity(), other.identity()) == ["content"]


def test_few_examples_are_read_of_a_long_dataset():
    data = Augmented(torch.zeros(100_000, dtype=torch.int64))
    task = Task.of(data)
    data.read = 0
    task.identity()
    assert data.read <= 40


DATA = TensorDataset(torch.arange(40.0).view(20, 2), torch.arange(20) % 2)
LISTED = [(row, int(label)) for row, label in zip(*DATA.tensors, strict=True)]
SOURCES = {
    "dataset": lambda: DATA,
    "part": lambda: Subset(DATA, range(10)),
    "other part": lambda: Subset(DATA, range(10, 20)),
    "two": lambda: ConcatDataset([DATA, DATA]),
    "loader": lambda: DataLoader(DATA, batch_size=4, shuffle=True),
    "loader of other batches": lambda: DataLoader(DATA, batch_size=5, shuffle=True),
    "loader of a part": lambda: DataLoader(DATA, batch_size=5, sampler=SubsetRandomSampler(range(10))),
    "loader of another part": lambda: DataLoader(DATA, batch_size=5, sampler=SubsetRandomSampler(range(10, 20))),
    "list": lambda: DataLoader(LISTED, batch_size=4),
    "other list": lambda: DataLoader([*LISTED[:-2], *LISTED[-1:], *LISTED[-2:-1]], batch_size=4),
    "dictionary": lambda: DataLoader(DATA, batch_size=4, collate_fn=tuple_of),
}


def tuple_of(items: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack([x for x, _ in items]), torch.stack([y for _, y in items])


@pytest.mark.parametrize("one", SOURCES)
def test_sources_made_twice_are_the_same_and_all_others_differ(one):
    identity = Task.of(SOURCES[one]()).identity()
    for other, make in SOURCES.items():
        alike = {one, other} in ({"loader", "dictionary"}, {one})
        assert (differences(identity, Task.of(make()).identity()) == []) == alike, other
