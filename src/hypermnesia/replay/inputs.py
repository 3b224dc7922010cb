"""Which inputs can be imitated, or asked how likely they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hypermnesia.errors import DataError
from hypermnesia.networks.coding import halved
from hypermnesia.networks.distribution import Distribution
from hypermnesia.tasks.task import Task


def check_inputs(
    task: Task, distribution: Distribution, channels: Sequence[int], otherwise: str, *, asked: bool = False
) -> None:
    """Refuse a task whose inputs an autoencoder or a GAN cannot imitate; reads all of them.

    Args:
        task: Its training inputs are read.
        distribution: Distribution of what is imitated: numbers from 0 to 1, or any finite ones.
        channels: Numbers of channels of convolutions that inputs must be images for; empty for none.
        otherwise: What to do where inputs are to stay outside of [0, 1].
        asked: Whether to read test and validation inputs too, because it is asked how likely they are.

    Raises:
        ConfigurationError: Inputs are no images, or too small for so many convolutions.
        DataError: Some input cannot be imitated; the text says why.

    Example:
        >>> task = Task.of((torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([0])))
        >>> check_inputs(task, "bernoulli", (), "choose another distribution")
    """
    if not isinstance(task.train.input_shape, tuple):
        raise DataError(
            f"inputs of task '{task.name}' have several parts ({', '.join(task.train.input_shape)}), but what is to be"
            " imitated must be one tensor of numbers: choose a method that imitates no inputs, as hnet or er"
        )
    if channels:
        halved(task.train.input_shape, channels)
    splits = [task.train, *([task.validation, task.test] if asked else [])]
    for examples in splits:
        for inputs, _ in [] if examples is None else examples.in_order(1000):
            assert isinstance(inputs, Tensor)
            check_numbers(inputs, distribution, f"inputs of task '{task.name}'", otherwise)


def check_numbers(inputs: Tensor, distribution: Distribution, what: str, otherwise: str) -> None:
    """Refuse inputs that do not have such a distribution.

    Args:
        inputs: Inputs `[inputs, ...]`.
        distribution: Distribution: of numbers from 0 to 1, or of any finite ones.
        what: What the inputs are called in errors.
        otherwise: What to do where inputs are to stay outside of [0, 1].

    Raises:
        DataError: They are no float32 numbers, or not finite, or outside of [0, 1]; the text says how far.
    """
    if inputs.dtype != torch.float32:
        raise DataError(
            f"{what} are of type {inputs.dtype}, but what is to be imitated must be torch.float32 (or uint8, which is"
            " scaled by itself): convert the inputs of all tasks"
        )
    if inputs.numel() == 0:
        return
    low, high = (float(bound) for bound in torch.aminmax(inputs))
    if not torch.tensor([low, high]).isfinite().all():
        raise DataError(f"{what} are not all finite numbers: replace or leave out what is infinite or nan")
    if distribution == "bernoulli" and not (low >= 0 and high <= 1):
        raise DataError(
            f"{what} reach from {low:g} to {high:g}, but what is to be imitated must lie between 0 and 1: scale the"
            f" inputs of all tasks to that range (uint8 images are scaled by themselves), or {otherwise}"
        )
