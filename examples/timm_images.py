"""A network of timm learns pairs of handwritten digits one after another; beside it, a network for each pair.

It needs timm: pip install timm; python examples/timm_images.py
"""

import timm
import torch
from torch import nn

import hypermnesia as hm


def network() -> nn.Module:
    """A small ResNet of timm, for images of one channel, with weights drawn from the seed."""
    torch.manual_seed(0)
    sizes = {"layers": (1, 1, 1, 1), "channels": (16, 24, 32, 48), "stem_width": 16}
    return timm.models.ResNet(timm.models.resnet.BasicBlock, in_chans=1, num_classes=2, **sizes)


def main() -> None:
    """Learn, and print the accuracy on each task at the end."""
    tasks = hm.tasks.split("digits", classes_per_task=2)
    training = {"iterations": 60, "batch_size": 32, "learning_rate": 0.002}
    learner, separate = (
        hm.HypernetworkLearner(network(), training=training),
        hm.SeparateLearner(network(), training=training),
    )
    for task in tasks:
        learner.learn(task)
        separate.learn(task)
    for task in tasks:
        ours, alone = 100 * learner.score(task), 100 * separate.score(task)
        print(f"{task.name}: {ours:.1f} % at the end, {alone:.1f} % by a network of its own")


if __name__ == "__main__":
    main()
