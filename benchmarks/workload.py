"""Networks and settings of a preset, with random images of the size of its data to train on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hypermnesia.data import ImageDataset
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import Task, permuted, split
from hypermnesia.training import TrainingSettings
from hypermnesia.training.augmentation import augmented

ENDLESS = 10**9
"""Number of iterations that no measurement reaches."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """A preset's task sequence, target network and settings on one device; no file is read or downloaded.

    Args:
        preset: Name of a preset on MNIST or CIFAR.
        device: Device of data and networks.
        method: Method whose settings are taken.
        changes: Other settings than the preset's, by their places.
    """

    preset: str
    device: torch.device
    method: str = "hnet"
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def experiment(self) -> Experiment:
        """The published settings, as `hypermnesia run` uses them."""
        return load_experiment(self.preset, {"device": str(self.device), **self.changes}, self.method)

    @functools.cached_property
    def task(self) -> Task:
        """The second task of the sequence: the first of a permuted one keeps its pixels in order."""
        tasks = self.experiment.tasks
        match tasks.kind:
            case "parts":  # as of CIFAR-100, in tens
                images = _noise((3, 32, 32), 50_000, 100).to(self.device)
                return split(images, 10, validation=tasks.validation)[1]
            case "split":
                return split(_noise((1, 28, 28), 60_000, 10).to(self.device), tasks.classes_per_task)[1]
            case _:
                return permuted(_noise((1, 28, 28), 60_000, 10).to(self.device), 2, padding=tasks.padding)[1]

    @property
    def inputs(self) -> int:
        """Number of values in one image, padding included."""
        return torch.Size(self.task.train.input_shape).numel()

    @property
    def outputs(self) -> int:
        """Number of classes of a task."""
        return len(self.task.classes or ())

    def training(self, iterations: int) -> TrainingSettings:
        """The preset's settings of training, with that number of iterations in place of its iterations or epochs."""
        return self.experiment.training.model_copy(update={"iterations": iterations, "epochs": None})

    def batches(self, times: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches as in a run, or `times` as large; augmented where the preset says so."""
        training = self.experiment.training
        batches = self.task.train.batches(times * training.batch_size, Seeds(0))
        if training.augmentation is None:
            return batches
        augmentation = training.augmentation
        return (
            (augmented(inputs, augmentation, Seeds(0).child(number)), labels)
            for number, (inputs, labels) in enumerate(batches)
        )

    def images(self, number: int) -> Tensor:
        """Test images, `[number, ...]`."""
        assert self.task.test is not None
        inputs, _ = next(self.task.test.in_order(number))
        return inputs

    def network(self, outputs: int | None = None) -> nn.Module:
        """A target network with that many outputs, by default one for each class of a task."""
        shape = tuple(self.task.train.input_shape)
        return self.experiment.network.build(shape, outputs or self.outputs).to(self.device)


def _noise(shape: tuple[int, int, int], number: int, classes: int) -> ImageDataset:
    """Random images and labels, a fifth as many for testing as for training."""
    generator = Seeds(0).generator()
    images, labels = (
        [torch.randint(most, (n, *rest), dtype=dtype, generator=generator) for n in (number, number // 5)]
        for most, rest, dtype in ((256, shape, torch.uint8), (classes, (), torch.int64))
    )
    return ImageDataset("noise", images[0], labels[0], images[1], labels[1], tuple(map(str, range(classes))))
