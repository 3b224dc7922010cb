"""Networks and settings of a preset, with random images of the size of its data to train on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from hypermnesia.data import ImageDataset
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.settings.config import Experiment
from hypermnesia.networks import mlp
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import Task, permuted, split
from hypermnesia.training import TrainingSettings

ENDLESS = 10**9
"""Number of iterations that no measurement reaches."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """A preset's task sequence, target network and settings on one device; no file is read or downloaded.

    Args:
        preset: Name of a preset on MNIST.
        device: Device of data and networks.
        method: Method whose settings are taken.
        start: What generated weights are a difference from; None as the preset has it.
    """

    preset: str
    device: torch.device
    method: str = "hnet"
    start: str | None = None

    @functools.cached_property
    def experiment(self) -> Experiment:
        """The published settings, as `hypermnesia run` uses them."""
        changes = {"device": str(self.device)} | ({"learner.start": self.start} if self.start else {})
        return load_experiment(self.preset, changes, self.method)

    @functools.cached_property
    def task(self) -> Task:
        """The second task of the sequence: the first of a permuted one keeps its pixels in order."""
        generator = Seeds(0).generator()

        def images(n: int) -> Tensor:
            return torch.randint(256, (n, 1, 28, 28), dtype=torch.uint8, generator=generator)

        def labels(n: int) -> Tensor:
            return torch.randint(10, (n,), generator=generator)

        names = tuple("0123456789")
        dataset = ImageDataset("noise", images(60_000), labels(60_000), images(10_000), labels(10_000), names).to(
            self.device
        )
        tasks = self.experiment.tasks
        if tasks.kind == "split":
            return split(dataset, tasks.classes_per_task)[1]
        return permuted(dataset, 2, padding=tasks.padding)[1]

    @property
    def inputs(self) -> int:
        """Number of values in one image, padding included."""
        return torch.Size(self.task.train.input_shape).numel()

    @property
    def outputs(self) -> int:
        """Number of classes of a task."""
        return len(self.task.classes or ())

    def training(self, iterations: int) -> TrainingSettings:
        """The preset's settings of training, with another number of iterations."""
        return self.experiment.training.model_copy(update={"iterations": iterations})

    def batches(self, times: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches as in a run, or `times` as large."""
        return self.task.train.batches(times * self.experiment.training.batch_size, Seeds(0))

    def images(self, number: int) -> Tensor:
        """Test images, `[number, ...]`."""
        assert self.task.test is not None
        inputs, _ = next(self.task.test.in_order(number))
        return inputs

    def network(self, outputs: int | None = None) -> nn.Module:
        """A target network with that many outputs, by default one for each class of a task."""
        network = self.experiment.network
        return mlp(self.inputs, network.hidden, outputs or self.outputs, network.activation).to(self.device)
