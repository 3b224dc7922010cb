"""How well the networks of any embeddings do, learned or not: what lies between and around tasks."""

from __future__ import annotations

from jaxtyping import Float, Float64, Int64
from torch import Tensor

from hypermnesia.learners.generated import GeneratedNetworkLearner


def accuracy_at(
    learner: GeneratedNetworkLearner,
    embeddings: Float[Tensor, "points embedding"],
    inputs: Float[Tensor, "inputs *shape"],
    labels: Int64[Tensor, " inputs"],
    task: int,
) -> Float64[Tensor, " points"]:
    """The accuracy, from 0 to 1, of the network that is generated from each embedding.

    Args:
        learner: Has learned the task.
        embeddings: Where to look.
        inputs: Of the task.
        labels: Within the task.
        task: Its number, from 0; its statistics (batch normalization's) are used at every embedding.

    Example:
        >>> import torch
        >>> from hypermnesia import HypernetworkLearner
        >>> inputs, labels = torch.eye(2), torch.tensor([0, 1])
        >>> training = {"iterations": 100, "learning_rate": 0.1}
        >>> learner = HypernetworkLearner(torch.nn.Linear(2, 2), chunk_size=3, training=training)
        >>> learner.learn((inputs, labels))
        >>> accuracy_at(learner, learner.hypernetwork.embeddings([0]), inputs, labels, task=0)
        tensor([1.], dtype=torch.float64)
    """
    right = learner.answers(embeddings, inputs, task) == labels.to(learner.device)
    return right.double().mean(1).cpu()


def line(
    start: Float[Tensor, " embedding"], end: Float[Tensor, " embedding"], positions: Float[Tensor, " points"]
) -> Float[Tensor, "points embedding"]:
    """Points of the straight line through two embeddings: `start` at position 0, `end` at 1.

    Example:
        >>> import torch
        >>> line(torch.tensor([0.0, 2.0]), torch.tensor([4.0, 2.0]), torch.tensor([0.25, 1.5]))
        tensor([[1., 2.],
                [6., 2.]])
    """
    return start + positions[:, None].to(start) * (end - start)
