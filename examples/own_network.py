"""Protect a network of your own: a small convolutional network with batch normalization, and any arrays as tasks.

Run it with `python examples/own_network.py`; it takes some seconds.
"""

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

import hypermnesia as hm


def make_tasks() -> list[hm.Task]:
    """Make three tasks, in each of which two digits are told apart; every fifth image is for testing."""
    digits = load_digits()
    images = digits.images[:, None] / 16
    tasks = []
    for pair in ((0, 1), (2, 3), (4, 5)):
        chosen = np.isin(digits.target, pair)
        inputs, labels = images[chosen], (digits.target[chosen] == pair[1]).astype(int)
        test = np.arange(len(labels)) % 5 == 0
        tasks.append(
            hm.Task.of(
                (inputs[~test], labels[~test]),
                test=(inputs[test], labels[test]),
                name=f"digits {pair[0]}-{pair[1]}",
                classes=[str(digit) for digit in pair],
            )
        )
    return tasks


def main() -> None:
    """Learn the tasks one after another, and print how well all of them are answered after each."""
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
    tasks = make_tasks()
    for number, accuracies in enumerate(hm.learn_sequence(learner, tasks), start=1):
        print(f"after task {number}:", ", ".join(f"{100 * accuracy:.1f} %" for accuracy in accuracies[:number]))
    print(learner)
    first = load_digits().images[:2, None] / 16
    print("the first two digits are", learner.predict(first, task="digits 0-1").names)


if __name__ == "__main__":
    main()
