"""Several labels an input: what holds of two digits beside each other, question after question.

python examples/several_labels.py
"""

import torch
from torch import Tensor, nn

import hypermnesia as hm

QUESTIONS = {
    "even": lambda left, right: (left % 2 == 0, right % 2 == 0),
    "large": lambda left, right: (left > 4, right > 4),
    "round": lambda left, right: tuple(torch.isin(digit, torch.tensor([0, 6, 8, 9])) for digit in (left, right)),
}
"""What is asked of the left and of the right digit, as two labels that hold or not."""


def pairs(examples: hm.tasks.Examples, number: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw digits to put beside each other; returns images `[n, 1, 8, 16]`, and both digits."""
    images, labels = next(examples.in_order(len(examples)))
    left, right = torch.randint(len(labels), (2, number), generator=torch.Generator().manual_seed(seed))
    return torch.cat([images[left], images[right]], dim=3), labels[left], labels[right]


def main() -> None:
    """Learn, and print the share of right labels of each task at the end."""
    torch.manual_seed(0)
    (digits,) = hm.tasks.split("digits", classes_per_task=10)
    train, test = pairs(digits.train, 2000, 0), pairs(digits.test, 1000, 1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(128, 100), nn.ReLU(), nn.Linear(100, 2))
    arguments = {"criterion": "binary-cross-entropy", "training": {"iterations": 400, "learning_rate": 0.002}}
    learners = [kind(network, **arguments) for kind in (hm.HypernetworkLearner, hm.SeparateLearner)]
    tasks = []
    for name, asked in QUESTIONS.items():
        answers = [torch.stack(asked(*digits), 1).float() for _, *digits in (train, test)]
        tasks.append(hm.Task.of((train[0], answers[0]), test=(test[0], answers[1]), name=name))
        for learner in learners:
            learner.learn(tasks[-1])
    for task in tasks:
        ours, alone = (100 * learner.score(task) for learner in learners)
        print(f"{task.name}: {ours:.1f} % at the end, {alone:.1f} % by a network of its own")


if __name__ == "__main__":
    main()
