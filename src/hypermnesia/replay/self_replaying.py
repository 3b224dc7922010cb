"""Deep generative replay: a variational autoencoder that keeps past inputs by learning its own imitations of them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hypermnesia.inputs import Inputs, Shape
from hypermnesia.networks.autoencoder import VariationalAutoencoder
from hypermnesia.networks.distribution import expectation
from hypermnesia.parallel import part_of_mean, share
from hypermnesia.replay.model import ReplayModel
from hypermnesia.replay.settings import SelfReplayingVAESettings
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task
from hypermnesia.training.objective import Objective, Portion
from hypermnesia.training.precision import forward_precision
from hypermnesia.training.settings import TrainingSettings


class SelfReplayingVAE(ReplayModel):
    """One plain variational autoencoder for all tasks, taught by new inputs and by what it replayed before them.

    It does not know tasks apart: whichever is asked for, inputs of any past task come.

    Source: Shin et al., Continual learning with deep generative replay, 2017; with the autoencoder and the weights of
    van de Ven and Tolias, Three scenarios for continual learning, 2019.

    Args:
        input_shape: Shape of one input.
        settings: Settings of the autoencoder.
        training: Batch size, precision and compilation.
        seeds: Root of all chance in here.
        device: Where to compute.

    Example:
        >>> vae = SelfReplayingVAE((1, 8, 8), SelfReplayingVAESettings(), TrainingSettings(), Seeds(0),
        ...                        torch.device("cpu"))
        >>> vae.begin_task()
        >>> vae.end_task()
        >>> vae.replay(0, vae.latents(3, torch.Generator())).shape
        torch.Size([3, 1, 8, 8])
    """

    tells_tasks_apart = False

    def __init__(
        self,
        input_shape: tuple[int, ...],
        settings: SelfReplayingVAESettings,
        training: TrainingSettings,
        seeds: Seeds,
        device: torch.device,
    ) -> None:
        self.input_shape = input_shape
        self._settings = settings
        self._training = training
        self._seeds = seeds
        self._device = device
        with seeds.child("autoencoder").default_generator():
            arguments = settings.model_dump(exclude={"kind"})
            self._network = VariationalAutoencoder(input_shape, deviation="fitted", **arguments)
        self._network.to(device, torch.float32)
        self._learned = 0
        # The network before the task that is being learned.
        self._before: VariationalAutoencoder | None = None

    @property
    def num_tasks(self) -> int:
        """Tasks it can replay."""
        return self._learned

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    def begin_task(self, outputs: int = 1, input_shape: Shape = ()) -> None:
        """Make room for one more task."""
        self._before = copy.deepcopy(self._network)

    def objective(self) -> Objective:
        """Objective of the task that was begun."""
        self._network.train()
        return _SelfReplayObjective(self, self._network, self._training, self._seeds.child("task", self._learned))

    def end_task(self, task: Task | None = None) -> None:
        """Keep what was learned of the task."""
        self._before = None
        self._learned += 1

    def abandon_task(self) -> None:
        """Go back to before the task was begun."""
        assert self._before is not None
        self._network, self._before = self._before, None

    def latents(self, number: int, generator: torch.Generator) -> Float[Tensor, "number latent"]:
        """Noise to make inputs of, from a CPU generator."""
        return torch.randn(number, self._settings.latent_dim, dtype=torch.float32, generator=generator).to(self._device)

    @torch.no_grad()
    def replay(self, task: int, latents: Float[Tensor, "number latent"]) -> Float[Tensor, "number *shape"]:
        """Inputs of any past task; while another one is learned, as they were before it."""
        decoder = (self._before or self._network).decoder
        with forward_precision(self._training.precision, latents.device):
            outputs: Tensor = decoder(latents)
        return expectation(outputs.float(), self._settings.distribution).view(-1, *self.input_shape)

    def state(self) -> dict[str, Any]:
        """State of the model, also in the middle of a task."""
        return {
            "learned": self._learned,
            "network": dict(self._network.state_dict()),
            "before": None if self._before is None else dict(self._before.state_dict()),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state` returned."""
        self._learned = state["learned"]
        self._network.load_state_dict(state["network"])
        self._before = None
        if state["before"] is not None:
            self._before = copy.deepcopy(self._network)
            self._before.load_state_dict(state["before"])


class _SelfReplayObjective(Objective):
    """1/T of the bound on new inputs, and the rest of that on replayed ones, T being the tasks so far."""

    def __init__(self, model: SelfReplayingVAE, network: nn.Module, training: TrainingSettings, seeds: Seeds) -> None:
        self._autoencoder = network
        self._network = torch.compile(network) if training.compile else network
        self._precision = training.precision
        self._model, self._seeds = model, seeds
        self._share = 1 / (model.num_tasks + 1)
        self._latents = model.latents(training.examples_in_a_step, seeds.generator()) if model.num_tasks else None

    def named_parameters(self) -> dict[str, nn.Parameter]:
        return dict(self._autoencoder.named_parameters())

    def statistics(self) -> list[Tensor]:
        return list(self._autoencoder.buffers())

    def prepare(self, iteration: int) -> None:
        if self._latents is not None:
            generator = self._seeds.child("replay", iteration).generator()
            self._latents.copy_(self._model.latents(len(self._latents), generator))

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        assert isinstance(inputs, Tensor)
        number, inputs = len(inputs), share(inputs)
        new = len(inputs)
        if self._latents is not None:
            latents = portion.rows(self._latents)
            inputs = torch.cat([inputs, self._model.replay(0, share(latents))])
        with forward_precision(self._precision, inputs.device):
            bounds = self._network(inputs).float()
        loss = part_of_mean(bounds[:new].mean(), number)
        scalars = {"new": loss}
        if self._latents is not None:
            replayed = part_of_mean(bounds[new:].mean(), len(latents))
            scalars["replayed"] = replayed
            loss = self._share * loss + (1 - self._share) * replayed
        portion.loss(loss).backward()
        return {"loss": loss, **scalars}
