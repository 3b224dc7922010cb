"""Replay models whose generator a hypernetwork generates and the output regularizer keeps."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia import parallel
from hypermnesia.inputs import Inputs, Shape
from hypermnesia.networks.coding import decoder
from hypermnesia.protection import ProtectedNetwork
from hypermnesia.replay.model import ReplayModel
from hypermnesia.replay.settings import GeneratorSettings
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task
from hypermnesia.training.objective import Objective
from hypermnesia.training.settings import TrainingSettings

Generate = Callable[[Tensor], Tensor]
"""From latents `[n, latent]` to what the generator puts out for them, `[n, numbers]`."""


class ProtectedReplayModel(ReplayModel):
    """A replay model with a generator of its own weights for each task.

    A hypernetwork generates those weights, and the output regularizer keeps them, as it does a classifier's. What is
    learned along with the generator (an encoder, a discriminator) serves the current task only and may forget.

    Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, section 2.2 and appendix.

    Args:
        auxiliary: What is learned along with the generator; on the CPU.
        input_shape: Shape of one input.
        settings: Settings of the generator and its hypernetwork.
        training: Precision and compilation of the forward pass.
        seeds: Root of all chance in here.
        device: Where to compute.
    """

    def __init__(
        self,
        auxiliary: nn.Module,
        input_shape: tuple[int, ...],
        settings: GeneratorSettings,
        training: TrainingSettings,
        seeds: Seeds,
        device: torch.device,
    ) -> None:
        self.input_shape = input_shape
        self._settings = settings
        self._device = device
        numbers_in = settings.latent_dim + settings.condition_dim
        with seeds.child("generator").default_generator():
            generator = decoder(numbers_in, settings.hidden, settings.channels, input_shape, settings.activation)
        self._network = ProtectedNetwork(generator.to(device, torch.float32), settings.hypernetwork, training, seeds)
        self._auxiliary = auxiliary.to(device, torch.float32)
        # The auxiliary network before the task that is being learned.
        self._auxiliary_before: dict[str, Tensor] | None = None

    @property
    def num_tasks(self) -> int:
        """Tasks learned completely, forgotten ones included."""
        return self._network.num_tasks

    @property
    def past(self) -> list[int]:
        """Numbers of the tasks it can replay, without the one that is being learned."""
        return self._network.past

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept."""
        return self._network.num_weights + sum(p.numel() for p in self._auxiliary.parameters())

    def begin_task(self, outputs: int = 1, input_shape: Shape = ()) -> None:
        """Make room for one more task with that number of classes."""
        self._network.begin_task()
        self._auxiliary_before = copy.deepcopy(self._auxiliary.state_dict())

    def reopen_task(self, task: int) -> None:
        """Go back to a task that was learned."""
        self._network.reopen_task(task)
        self._auxiliary_before = copy.deepcopy(self._auxiliary.state_dict())

    def forget_task(self, task: int) -> None:
        """Drop the embedding of a task, which then cannot be replayed."""
        self._network.forget_task(task)

    def objective(self) -> Objective:
        """Objective of the task that was begun."""
        condition = self._condition(self._network.current)

        def loss(tensors: dict[str, Tensor], inputs: Inputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            def generate(latents: Tensor) -> Tensor:
                return self._network.functional.while_learning(tensors, self._with_condition(latents, condition))

            assert isinstance(inputs, Tensor)
            number = len(labels)
            of_share, scalars = self._loss(generate, inputs.flatten(1), parallel.share(labels))
            parts = {name: parallel.part_of_mean(scalar, number) for name, scalar in scalars.items()}
            return parallel.part_of_mean(of_share, number), parts

        return self._network.objective(loss, self._learned_along())

    def end_task(self, task: Task | None = None) -> None:
        """Keep what was learned of the task."""
        self._network.end_task()
        self._auxiliary_before = None

    def abandon_task(self) -> None:
        """Go back to before the task was begun."""
        assert self._auxiliary_before is not None
        self._network.abandon_task()
        self._auxiliary.load_state_dict(self._auxiliary_before)
        self._auxiliary_before = None

    def latents(self, number: int, generator: torch.Generator) -> Float[Tensor, "number latent"]:
        """Noise to make inputs of, from a CPU generator."""
        return torch.randn(number, self._settings.latent_dim, dtype=torch.float32, generator=generator).to(self._device)

    def replay(self, task: int, latents: Float[Tensor, "number latent"]) -> Float[Tensor, "number *shape"]:
        """Inputs of a past task; while another one is learned, as they were before it.

        Args:
            task: Its number, below `num_tasks`.
            latents: Noise from N(0, 1), one row for each input.
        """
        with self._network.for_use():
            inputs = self._with_condition(self._placed(task, latents), self._condition(task))
            outputs = self._network.functional(self._network.tensors_before(task), inputs)
        return self._expected(outputs).view(-1, *self.input_shape)

    def state(self) -> dict[str, Any]:
        """State of the model, also in the middle of a task."""
        return {
            "generator": self._network.state(),
            "auxiliary": dict(self._auxiliary.state_dict()),
            "auxiliary_before": self._auxiliary_before,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state that :meth:`state` returned."""
        self._network.load_state(state["generator"])
        self._auxiliary.load_state_dict(state["auxiliary"])
        before = state["auxiliary_before"]
        self._auxiliary_before = None if before is None else {n: t.to(self._device) for n, t in before.items()}

    @abstractmethod
    def _loss(self, generate: Generate, inputs: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss on flattened inputs, of what `generate` makes of latents, and scalars worth showing."""

    @abstractmethod
    def _expected(self, outputs: Tensor) -> Tensor:
        """Flattened inputs, of what the generator puts out for them."""

    def _learned_along(self) -> dict[str, nn.Parameter]:
        """Parameters that the loss of the current task depends on, besides the generator, by name."""
        return {f"auxiliary.{name}": parameter for name, parameter in self._auxiliary.named_parameters()}

    def _placed(self, task: int, noise: Tensor) -> Tensor:
        """The latents of a task that this noise stands for."""
        return noise

    def _condition(self, task: int) -> Tensor:
        size = self._settings.condition_dim
        index = torch.tensor(task % size if size else 0, device=self._device)
        return functional.one_hot(index, size).float() if size else torch.empty(0, device=self._device)

    @staticmethod
    def _with_condition(latents: Tensor, condition: Tensor) -> Tensor:
        return torch.cat([latents, condition.expand(len(latents), -1)], dim=1)
