"""A network generated task by task, and all that must last from one task to the next."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from hypermnesia.errors import CheckpointError
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout
from hypermnesia.protection.objective import AdaptationObjective, Loss, ProtectedObjective
from hypermnesia.protection.settings import HypernetworkSettings
from hypermnesia.regularizers import Penalty
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task
from hypermnesia.training.device import forward_precision
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective

Forward = Callable[[dict[str, Tensor], Tensor], Tensor]
"""From weights and statistics by name, and inputs, to outputs."""

_NUMBERS_AT_A_TIME = 2**24
"""Weights and activations of networks that are asked together; a matter of memory and speed only."""


class ProtectedNetwork(Part):
    """A module whose weights a hypernetwork generates for each task, and which forgets none.

    Holds the hypernetwork, what the module keeps of its own (parameters that are not generated), the statistics that
    each task has changed (batch normalization's) and, while a task is learned, Θ_h from before it.

    Args:
        module: Where it is, the rest will be; its own numbers are used as they are.
        settings: Settings of the hypernetwork and its regularizer.
        training: Precision and compilation of the forward pass.
        seeds: Root of all chance in here.

    Attributes:
        while_learning: The same as calling the object, compiled where the settings ask for it.

    Example:
        >>> settings = HypernetworkSettings(chunk_size=4)
        >>> network = ProtectedNetwork(nn.Linear(2, 3), settings, TrainingSettings(), Seeds(0))
        >>> network.begin_task()
        >>> network(network.tensors(0), torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self, module: nn.Module, settings: HypernetworkSettings, training: TrainingSettings, seeds: Seeds
    ) -> None:
        self.module = module
        self.settings = settings
        self._seeds = seeds
        self._precision = training.precision
        layout = ParameterLayout.of(module, lambda name, _: not any(fnmatchcase(name, p) for p in settings.shared))
        device = next(module.parameters()).device
        self.hypernetwork = _make_hypernetwork(layout, settings, seeds).to(device)
        self.while_learning: Forward = torch.compile(self) if training.compile else self
        # Statistics that a task has changed, one dict a task.
        self._buffers: list[dict[str, Tensor]] = []
        # Θ_h before the task that is being learned; empty where it stays as it is, None between tasks.
        self._snapshot: dict[str, Tensor] | None = None

    @property
    def num_tasks(self) -> int:
        """Tasks learned completely."""
        return self.hypernetwork.num_tasks - (self._snapshot is not None)

    @property
    def num_weights(self) -> int:
        """Trained numbers, embeddings of all tasks so far included."""
        return sum(parameter.numel() for parameter in self.hypernetwork.parameters())

    def __call__(self, tensors: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """The module's output with these weights and statistics, in the precision asked for."""
        with forward_precision(self._precision, inputs.device):
            output: Tensor = functional_call(self.module, tensors, (inputs,))
        return output.float() if self._precision == "bfloat16" else output

    def tensors(self, task: int, embedding: Tensor | None = None) -> dict[str, Tensor]:
        """Weights and statistics of a task by name.

        Args:
            task: Its number; the task being learned counts too.
            embedding: To use instead of the task's own, `[embedding_dim]`.
        """
        weights = self.hypernetwork(task) if embedding is None else self.hypernetwork.generate(embedding)
        return {**weights, **self._buffers[task]}

    def outputs(
        self, embeddings: Float[Tensor, "points embedding"], inputs: Float[Tensor, "inputs *shape"], task: int
    ) -> Float[Tensor, "points inputs outputs"]:
        """The module's outputs with weights generated from each embedding, several embeddings at a time.

        Args:
            embeddings: Any, learned or not.
            inputs: For all of them.
            task: Whose statistics are used.
        """

        def of_one(embedding: Tensor) -> Tensor:
            return self(self.tensors(task, embedding), inputs)

        at_a_time = max(1, _NUMBERS_AT_A_TIME // (self.hypernetwork.layout.size + inputs.numel()))
        return torch.func.vmap(of_one, chunk_size=at_a_time)(embeddings)

    def statistics(self, task: int) -> dict[str, Tensor]:
        """Statistics of the module that the task has changed, by name."""
        return self._buffers[task]

    def tensors_before(self, task: int) -> dict[str, Tensor]:
        """Like :meth:`tensors`, of a past task, as it was before the task that is being learned."""
        embedding = self.hypernetwork.task_embeddings[task]
        return {**self.hypernetwork.generate(embedding, self._snapshot), **self._buffers[task]}

    @contextlib.contextmanager
    def for_use(self) -> Iterator[None]:
        """The module in evaluation mode, without gradients."""
        was_training = self.module.training
        self.module.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.module.train(was_training)

    def begin_task(self, outputs: int = 1, input_shape: tuple[int, ...] = ()) -> None:
        """Make room for one more task: an embedding, statistics as the module has them, a snapshot of Θ_h."""
        self._snapshot = {name: p.detach().clone() for name, p in self.hypernetwork.shared_parameters().items()}
        number = self.hypernetwork.num_tasks
        self.hypernetwork.add_task(self._seeds.child("task", number, "embedding").generator())
        self._buffers.append({name: b.clone() for name, b in self.module.named_buffers()})

    def freeze(self) -> None:
        """Let the task that was begun be learned with nothing but its embedding: Θ_h stays as it is."""
        assert self._snapshot is not None
        self._snapshot = {}

    @property
    def is_frozen(self) -> bool:
        """Whether the task that is being learned has nothing but its embedding to be learned with."""
        return self._snapshot == {}

    def objective(self, loss: Loss, others: Sequence[nn.Parameter] = (), penalty: Penalty | None = None) -> Objective:
        """Objective of the task that was begun.

        Args:
            loss: Is given the task's weights and statistics.
            others: Parameters of the loss that are not generated; left alone where Θ_h is frozen.
            penalty: Holds Θ_h itself; only where β = 0.
        """
        assert self._snapshot is not None
        buffers = self._buffers[-1]
        self.module.train()

        def of_weights(weights: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            return loss({**weights, **buffers}, inputs, labels)

        if self.is_frozen:
            return AdaptationObjective(self.hypernetwork, of_weights)
        return ProtectedObjective(
            self.hypernetwork,
            of_weights,
            self._snapshot,
            self.settings,
            self._seeds.child("task", self.num_tasks),
            others,
            penalty,
        )

    def end_task(self, task: Task | None = None) -> None:
        """Keep what was learned of the task."""
        before = dict(self.module.named_buffers())
        self._buffers[-1] = {n: b for n, b in self._buffers[-1].items() if not torch.equal(b, before[n])}
        self.hypernetwork.task_embeddings.requires_grad_(False)
        self._snapshot = None

    @torch.no_grad()
    def abandon_task(self) -> None:
        """Go back to before the task was begun."""
        assert self._snapshot is not None
        theta = self.hypernetwork.shared_parameters()
        for name, before in self._snapshot.items():
            theta[name].copy_(before)
        self.hypernetwork.task_embeddings = self.hypernetwork.task_embeddings[:-1]
        self._buffers.pop()
        self._snapshot = None

    def state(self) -> dict[str, Any]:
        """All of it, also amid a task: nested dicts and lists of tensors and plain values."""
        layout = self.hypernetwork.layout
        return {
            "layout": {name: list(shape) for name, shape in zip(layout.names, layout.shapes, strict=True)},
            "theta": dict(self.hypernetwork.shared_parameters()),
            "task_embeddings": list(self.hypernetwork.task_embeddings),
            "module": self._kept(),
            "buffers": self._buffers,
            "snapshot": self._snapshot,
        }

    @torch.no_grad()
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave.

        Raises:
            CheckpointError: It comes from a module of another architecture.
        """
        layout = self.hypernetwork.layout
        here = {name: list(shape) for name, shape in zip(layout.names, layout.shapes, strict=True)}
        kept = self._kept()
        for saved, own in ((state["layout"], here), (_shapes(state["module"]), _shapes(kept))):
            for name in sorted(saved.keys() | own.keys()):
                if saved.get(name) != own.get(name):
                    raise CheckpointError(
                        f"the module does not fit the saved learner: '{name}' is {own.get(name, 'missing')} here and"
                        f" {saved.get(name, 'missing')} there; give a module of the same architecture"
                    )
        for name, parameter in self.hypernetwork.shared_parameters().items():
            parameter.copy_(state["theta"][name])
        for name, tensor in kept.items():
            tensor.copy_(state["module"][name])
        self.hypernetwork.task_embeddings = nn.ParameterList()
        for embedding in state["task_embeddings"]:
            task = self.hypernetwork.add_task(torch.Generator())
            self.hypernetwork.task_embeddings[task].copy_(embedding)
        device = self.hypernetwork.readout.device
        # Copies, also because what was read from a file may lie unaligned: sums would then differ in their last digits.
        self._buffers = [{n: b.to(device, copy=True) for n, b in buffers.items()} for buffers in state["buffers"]]
        snapshot = state["snapshot"]
        self._snapshot = None if snapshot is None else {n: p.to(device, copy=True) for n, p in snapshot.items()}
        if self._snapshot is None:
            self.hypernetwork.task_embeddings.requires_grad_(False)

    def _kept(self) -> dict[str, Tensor]:
        """State that the module keeps of its own: parameters that are not generated, and initial buffers."""
        generated = set(self.hypernetwork.layout.names)
        own = [*self.module.named_parameters(), *self.module.named_buffers()]
        return {name: tensor for name, tensor in own if name not in generated}


def _make_hypernetwork(layout: ParameterLayout, settings: HypernetworkSettings, seeds: Seeds) -> Hypernetwork:
    generator = seeds.child("hypernetwork").generator()
    common = settings.model_dump(
        include={"embedding_dim", "chunk_embedding_dim", "hidden", "activation", "initialization"}
    )
    if settings.chunk_size is not None:
        chunk_size = None if settings.chunk_size == "full" else settings.chunk_size
        return Hypernetwork(layout, chunk_size=chunk_size, generator=generator, **common)
    return Hypernetwork.with_compression(layout, settings.compression or 1.0, generator=generator, **common)


def _shapes(tensors: dict[str, Tensor]) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in tensors.items()}
