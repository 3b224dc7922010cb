"""A standard network that replay keeps from forgetting, and the batches of replayed inputs that it learns from."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from hypermnesia.criteria import USUAL, Criterion
from hypermnesia.errors import ConfigurationError
from hypermnesia.inputs import Inputs
from hypermnesia.memory import check_room
from hypermnesia.parallel import share
from hypermnesia.replay.gan import GAN
from hypermnesia.replay.inputs import check_inputs
from hypermnesia.replay.model import ReplayModel
from hypermnesia.replay.self_replaying import SelfReplayingVAE
from hypermnesia.replay.settings import GANSettings, ReplaySettings, SelfReplayingVAESettings, VAESettings
from hypermnesia.replay.vae import VAE
from hypermnesia.seeds import Seeds
from hypermnesia.standard import Past, PastBatch, SoftTargets, StandardNetwork, StandardObjective, likeliest_outputs
from hypermnesia.tasks.task import Task
from hypermnesia.training.objective import WHOLE, Objective, Portion
from hypermnesia.training.part import Parts, ShapedPart
from hypermnesia.training.settings import TrainingSettings

_MODELS: dict[type, Callable[..., ReplayModel]] = {
    VAESettings: VAE,
    GANSettings: GAN,
    SelfReplayingVAESettings: SelfReplayingVAE,
}


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
            lambda input_shape: _MODELS[type(settings.model)](
                input_shape, settings.model, training, seeds.child("replay model"), standard.device
            )
        )
        super().__init__(standard=standard, model=self._model)
        self._settings = settings
        self._training = training
        self._seeds = seeds

    def check(self, task: Task) -> None:
        """Refuse a task whose inputs the replay model cannot imitate; reads all training inputs.

        Raises:
            ConfigurationError: The replay model has convolutions that do not fit the inputs.
            DataError: Some input cannot be imitated; the text says why.
        """
        model = self._settings.model
        if isinstance(model, GANSettings):
            otherwise = "learn with a VAE whose distribution is 'normal' instead: a GAN makes no others"
            check_inputs(task, "bernoulli", model.channels, otherwise)
        else:
            otherwise = "set replay.model.distribution to 'normal', which imitates any"
            check_inputs(task, model.distribution, model.channels, otherwise)

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
        if task in self.standard.forgotten:
            raise ConfigurationError(f"task {task} was forgotten, so it cannot be replayed")
        model = self._model.made
        return model.replay(task, model.latents(number, self._seeds.child("samples", task).generator()))

    def objectives(self, criterion: Criterion = USUAL["classes"]) -> tuple[Objective, Objective]:
        """Objectives for the task that was begun: of the network, by that criterion, and of the replay model."""
        stream, temperature = None, self._settings.temperature
        if self._model.made.past:
            # Of a task that was reopened, beside those of when it was new.
            again = ("again",) if self.standard.current < self.standard.num_tasks else ()
            seeds = self._seeds.child("task", self.standard.current, *again)
            label = self._hard_targets if temperature is None else SoftTargets(self.standard, temperature)
            stream = ReplayStream(self._model.made, self._training.examples_in_a_step, label, seeds)
        of_network = StandardObjective(
            self.standard,
            self._training,
            criterion,
            past=stream,
            weight=self._settings.weight,
            temperature=temperature or 1.0,
        )
        return of_network, self._model.made.objective()

    def _hard_targets(self, inputs: Tensor, tasks: Int64[Tensor, " inputs"]) -> Float[Tensor, "inputs outputs"]:
        """The class that each replayed input was made for; where that is none, the likeliest of its task or of all."""
        model = self._model.made
        classes = likeliest_outputs(self.standard, inputs, tasks, surely=model.tells_tasks_apart)
        for task in model.past:
            chosen = (tasks == task).nonzero()[:, 0]
            if (labels := model.labels(task, len(chosen))) is not None:
                classes[chosen] = self.standard.outputs.of_task(task).start + labels
        return functional.one_hot(classes, len(self.standard.outputs)).float()


Label = Callable[[Tensor, Tensor], Tensor]
"""Function of replayed inputs `[n, ...]` and the task of each `[n]` that returns their targets, `[n, outputs]`."""

BATCHES_IN_A_BLOCK = 50
"""Number of batches made at a time."""


class ReplayStream(Past):
    """Replayed inputs of all past tasks in equal shares, a batch for each step.

    They are made in blocks of many batches, so that a past task's network is generated once a block: a step costs
    hardly more with a hundred past tasks than with one. Batch `i` depends on the seeds and on `i` only.

    Args:
        model: Replay model, which replays past tasks as it did before the current one.
        batch_size: Number of inputs in a batch.
        label: Function that gives the targets of replayed inputs.
        seeds: Seeds of the noise.
    """

    def __init__(self, model: ReplayModel, batch_size: int, label: Label, seeds: Seeds) -> None:
        self._model = model
        self._batch_size = batch_size
        self._label = label
        self._seeds = seeds
        self._number: int | None = None
        self._draw(0)
        self._batch = [part[0].clone() for part in self._block]

    def prepare(self, iteration: int) -> None:
        """Make the batch of a step available."""
        number, place = divmod(iteration, BATCHES_IN_A_BLOCK)
        if number != self._number:
            self._draw(number)
        for current, part in zip(self._batch, self._block, strict=True):
            current.copy_(part[place])

    def batch(self, current: Inputs | None = None, portion: Portion = WHOLE) -> PastBatch:
        """Return the batch of the prepared step, or its portion of that; every step uses the same storage."""
        inputs, targets, tasks = (portion.rows(part) for part in self._batch)
        return PastBatch(share(inputs), share(targets), share(tasks), len(inputs))

    @torch.no_grad()
    def _draw(self, number: int) -> None:
        """Make a block of batches."""
        model, past = self._model, self._model.past
        size = BATCHES_IN_A_BLOCK * self._batch_size
        latents = model.latents(size, self._seeds.child("replay", number).generator())
        what = f"Replaying past tasks for batches of {self._batch_size:,} inputs"
        check_room(4.0 * size * math.prod(model.input_shape), what, latents.device)
        # In turns, from where the last block stopped: equal shares, also of more tasks than a batch has inputs.
        turns = (torch.arange(size, device=latents.device) + number * size) % len(past)
        tasks = torch.tensor(past, device=latents.device)[turns]
        inputs = latents.new_empty(size, *model.input_shape)
        for task in past:
            chosen = tasks == task
            inputs[chosen] = model.replay(task, latents[chosen])
        parts = (inputs, self._label(inputs, tasks), tasks)
        self._block = [part.unflatten(0, (BATCHES_IN_A_BLOCK, self._batch_size)) for part in parts]
        self._number = number
