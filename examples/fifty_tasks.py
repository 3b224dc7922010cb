"""Fifty tasks, each a pair of digits whose pixels have an order of their own: a body for all, a head for each task.

The body is generated, heads are each task's own. A task costs its embedding and its head, however large the body is.

    python examples/fifty_tasks.py
"""

import statistics

import torch
from torch import nn

import hypermnesia as hm

TASKS = 50


def network() -> nn.Module:
    """A body that makes features, and a small head."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 32), nn.ReLU(), nn.Linear(32, 2))


def task(number: int) -> hm.Task:
    """Two digits in a new order of pixels; the same number makes the same task."""
    generator = torch.Generator().manual_seed(number)
    order = torch.randperm(64, generator=generator)
    pair = torch.randperm(10, generator=generator)[:2].tolist()
    (digits,) = hm.tasks.split("digits", classes_per_task=10)
    splits = []
    for examples in (digits.train, digits.test):
        images, labels = next(examples.in_order(len(examples)))
        chosen = torch.isin(labels, torch.tensor(pair))
        splits.append((images.flatten(1)[chosen][:, order], (labels[chosen] == pair[1]).long()))
    return hm.Task.of(splits[0], test=splits[1], name=f"{pair[0]} or {pair[1]}, order {number}")


def main() -> None:
    """Learn, and print accuracies at the end, and what a task costs."""
    training = {"iterations": 100, "learning_rate": 0.001, "batch_size": 32}
    learner = hm.HypernetworkLearner(network(), own=("5.*",), own_start="drawn", training=training)
    tasks, alone, sizes = [task(number) for number in range(TASKS)], [], []
    for each in tasks:
        learner.learn(each)
        sizes.append(learner.memory_bytes)
        separate = hm.SeparateLearner(network(), training=training)
        separate.learn(each)
        alone.append(separate.score(each))
    found = [learner.score(each) for each in tasks]
    for each, ours, by_itself in zip(tasks, found, alone, strict=True):
        print(f"{each.name}: {100 * ours:.1f} % at the end, {100 * by_itself:.1f} % by a network of its own")
    averages = [100 * statistics.mean(values) for values in (found, alone)]
    print(f"average: {averages[0]:.1f} % at the end, {averages[1]:.1f} % by networks of their own")
    print(f"{sizes[-1] - sizes[-2]:,} bytes a task; a network of its own has {separate.memory_bytes:,}")


if __name__ == "__main__":
    main()
