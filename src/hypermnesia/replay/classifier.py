"""A standard network that replay keeps from forgetting."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from hypermnesia.errors import ConfigurationError
from hypermnesia.replay.gan import GAN
from hypermnesia.replay.model import ReplayModel
from hypermnesia.replay.self_replaying import SelfReplayingVAE
from hypermnesia.replay.settings import (
    GANSettings,
    ReplayModelSettings,
    ReplaySettings,
    SelfReplayingVAESettings,
    VAESettings,
)
from hypermnesia.replay.stream import ReplayStream
from hypermnesia.replay.vae import VAE
from hypermnesia.seeds import Seeds
from hypermnesia.standard import SoftTargets, StandardNetwork, StandardObjective, likeliest_outputs
from hypermnesia.training.part import Parts, ShapedPart
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective


class ReplayClassifier(Parts):
    """A standard network, taught by data of the current task and by replayed inputs of past ones.

    Args:
        standard: The network.
        settings: Settings of the replay model, and of what is learned from it.
        training: Batch size, precision and compilation.
        seeds: Root of all randomness in here.

    Example:
        >>> from torch import nn
        >>> standard = StandardNetwork(nn.Linear(4, 2), "class", TrainingSettings(), Seeds(0))
        >>> classifier = ReplayClassifier(standard, ReplaySettings(), TrainingSettings(), Seeds(0))
        >>> classifier.begin_task(3, (4,))
        >>> standard.num_tasks, len(standard.outputs)
        (0, 3)
    """

    def __init__(
        self, standard: StandardNetwork, settings: ReplaySettings, training: TrainingSettings, seeds: Seeds
    ) -> None:
        self.standard = standard
        self._model = ShapedPart(
            lambda input_shape: make_replay_model(
                settings.model, input_shape, training, seeds.child("replay model"), standard.device
            )
        )
        super().__init__(standard=standard, model=self._model)
        self._settings = settings
        self._training = training
        self._seeds = seeds

    def replay(self, task: int, number: int) -> Float[Tensor, "number *shape"]:
        """Replayed inputs of a learned task, made from the same noise each time.

        Raises:
            ConfigurationError: There is no such task.
        """
        num_tasks = self.standard.num_tasks
        if not 0 <= task < num_tasks:
            raise ConfigurationError(
                f"there is no task {task} to replay: {num_tasks} tasks were learned, counted from 0"
            )
        model = self._model.made
        return model.replay(task, model.latents(number, self._seeds.child("samples", task).generator()))

    def objectives(self) -> tuple[Objective, Objective]:
        """Objectives for the task that was begun: of the network, and of the replay model."""
        stream, temperature = None, self._settings.temperature
        if self.standard.num_tasks > 0:
            seeds = self._seeds.child("task", self.standard.num_tasks)
            label = self._hard_targets if temperature is None else SoftTargets(self.standard, temperature)
            stream = ReplayStream(self._model.made, self._training.batch_size, label, seeds)
        of_network = StandardObjective(
            self.standard,
            self._training,
            past=stream,
            weight=self._settings.weight,
            temperature=temperature or 1.0,
        )
        return of_network, self._model.made.objective()

    def _hard_targets(self, inputs: Tensor, tasks: Int64[Tensor, " inputs"]) -> Float[Tensor, "inputs outputs"]:
        """The class that each replayed input was made for; where that is none, the likeliest of its task or of all."""
        model = self._model.made
        classes = likeliest_outputs(self.standard, inputs, tasks, surely=model.tells_tasks_apart)
        for task in range(self.standard.num_tasks):
            chosen = (tasks == task).nonzero()[:, 0]
            if (labels := model.labels(task, len(chosen))) is not None:
                classes[chosen] = self.standard.outputs.of_task(task).start + labels
        return functional.one_hot(classes, len(self.standard.outputs)).float()


def make_replay_model(
    settings: ReplayModelSettings,
    input_shape: tuple[int, ...],
    training: TrainingSettings,
    seeds: Seeds,
    device: torch.device,
) -> ReplayModel:
    """The replay model that the settings describe, for inputs of this shape; it knows no task yet.

    Example:
        >>> model = make_replay_model(VAESettings(), (8,), TrainingSettings(), Seeds(0), torch.device("cpu"))
        >>> model.num_tasks
        0
    """
    match settings:
        case VAESettings():
            return VAE(input_shape, settings, training, seeds, device)
        case GANSettings():
            return GAN(input_shape, settings, training, seeds, device)
        case SelfReplayingVAESettings():
            return SelfReplayingVAE(input_shape, settings, training, seeds, device)
