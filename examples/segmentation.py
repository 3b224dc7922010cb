"""Segmentation: for each pixel of a noisy image, is it of the form that is asked for? Borders are not judged.

python examples/segmentation.py
"""

import torch
from torch import Tensor, nn

import hypermnesia as hm

SIZE, IGNORED = 16, -100


def network() -> nn.Module:
    """Convolutions that keep the size of an image."""
    torch.manual_seed(0)
    first, second = (nn.Conv2d(channels, 16, 5, padding=2) for channels in (1, 16))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Conv2d(16, 2, 1))


def scenes(number: int, asked: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images with a disk, a square and a cross, and 1 for each pixel of the one that is asked for."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randint(3, SIZE - 3, (number, 3, 2, 1, 1), generator=generator)
    places = torch.stack(torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij"))
    away = (places - centers).abs()  # of each pixel from the center of each form, down and across
    disk, square = away[:, 0].square().sum(1) <= 9, away[:, 1].amax(1) <= 2
    cross = (away[:, 2].amin(1) == 0) & (away[:, 2].amax(1) <= 3)
    forms = torch.stack([disk, square, cross], 1)
    images = forms.any(1, keepdim=True) + 0.3 * torch.randn(number, 1, SIZE, SIZE, generator=generator)
    labels = forms[:, asked].long()
    labels[:, [0, -1]] = labels[:, :, [0, -1]] = IGNORED
    return images, labels


def overlap(outputs: Tensor, labels: Tensor) -> float:
    """Compute the pixels found and asked for, in proportion to those found or asked for."""
    found, asked = (outputs.argmax(1) == 1) & (labels != IGNORED), labels == 1
    return float((found & asked).sum() / (found | asked).sum())


def main() -> None:
    """Learn, and print the overlap with the forms of each task at the end."""
    training = {"iterations": 300, "learning_rate": 0.003, "batch_size": 32}
    judged = {"criterion": hm.criteria.CrossEntropy(ignore_index=IGNORED), "metric": overlap}
    kinds = (hm.HypernetworkLearner, hm.SeparateLearner)
    learners = [kind(network(), **judged, training=training) for kind in kinds]
    tasks = []
    for asked, name in enumerate(("disks", "squares", "crosses")):
        tasks.append(hm.Task.of(scenes(400, asked, 0), test=scenes(200, asked, 1), name=name))
        for learner in learners:
            learner.learn(tasks[-1])
    for task in tasks:
        ours, alone = (100 * learner.score(task) for learner in learners)
        print(f"{task.name}: {ours:.1f} % at the end, {alone:.1f} % by a network of its own")


if __name__ == "__main__":
    main()
