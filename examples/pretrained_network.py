"""Protect a pretrained network: trained on one half of the digits, it learns the others, task by task.

Run it with `python examples/pretrained_network.py`; it takes some seconds.
"""

import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import hypermnesia as hm


def choose(*classes: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Choose the images of some digits, labeled from 0, for training and, every fifth, for testing."""
    digits = load_digits()
    images, labels = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32), torch.tensor(digits.target)
    chosen = torch.isin(labels, torch.tensor(classes))
    inputs = images[chosen]
    labels = torch.tensor([classes.index(label) for label in labels[chosen].tolist()])
    test = torch.arange(len(labels)) % 5 == 0
    return (inputs[~test], labels[~test]), (inputs[test], labels[test])


def pretrain() -> nn.Sequential:
    """Train a network on the digits from 0 to 4; any other that has learned something would do."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 5),
    )
    (inputs, labels), (test_inputs, test_labels) = choose(0, 1, 2, 3, 4)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    accuracy = (network(test_inputs).argmax(1) == test_labels).float().mean()
    print(f"the network, of the digits that it was trained on: {100 * accuracy:.1f} %")
    return network


def main() -> None:
    """Learn the other digits in pairs; keep the learner without what the network brought, and load it again."""
    network = pretrain()
    tasks = []
    for pair in ((5, 6), (7, 8), (9, 5)):
        train, test = choose(*pair)
        tasks.append(hm.Task.of(train, test=test, name=f"digits {pair[0]}-{pair[1]}", classes=list(map(str, pair))))
    # The layers before the head start as they are; each task has a head of its own, which is drawn anew.
    learner = hm.HypernetworkLearner(network, own=("7.*",), own_start="drawn", training={"iterations": 200})
    for number, accuracies in enumerate(hm.learn_sequence(learner, tasks), start=1):
        print(f"after task {number}:", ", ".join(f"{100 * accuracy:.1f} %" for accuracy in accuracies[:number]))
    print(learner)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "digits.safetensors")
        learner.save(file, module=False)
        loaded = hm.load(file, network)
    print("loaded:", ", ".join(f"{100 * loaded.score(task):.1f} %" for task in tasks))


if __name__ == "__main__":
    main()
