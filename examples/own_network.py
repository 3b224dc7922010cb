"""Protect a network of one's own: a small convolutional net with batch normalization, any tensors as tasks.

Run it with `python examples/own_network.py`; it takes some seconds.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import hypermnesia as hm


def tasks() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Three tasks, each to tell two digits apart: inputs and labels."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    pairs = []
    for first, second in ((0, 1), (2, 3), (4, 5)):
        chosen = (labels == first) | (labels == second)
        pairs.append((images[chosen], (labels[chosen] == second).long()))
    return pairs


def main() -> None:
    """Learn the tasks one after another; ask about all of them after each."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 36, 64),
        nn.ReLU(),
        nn.Linear(64, 2),
    )
    learner = hm.HypernetworkLearner(network, compression=0.5, beta=0.1, training={"iterations": 200})
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    for pair in tasks():
        learner.learn(pair)
        seen.append(pair)
        accuracies = [
            (learner.predict(inputs, task).labels == labels).float().mean().item()
            for task, (inputs, labels) in enumerate(seen)
        ]
        print(f"after task {len(seen)}:", ", ".join(f"{100 * accuracy:.1f} %" for accuracy in accuracies))
    print(f"{learner.compression:.2f} hypernetwork weights per weight of the network")


if __name__ == "__main__":
    main()
