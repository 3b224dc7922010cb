"""A network generated task by task, and all that must last from one task to the next."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hypermnesia import modules
from hypermnesia.inputs import Inputs, Shape
from hypermnesia.module_copies import with_tensors
from hypermnesia.modules import check_takes_weights, evaluation_mode
from hypermnesia.protection.chunk_importance import ChunkImportance
from hypermnesia.protection.functional_module import FunctionalModule
from hypermnesia.protection.objective import AdaptationObjective, ProtectedObjective
from hypermnesia.protection.own_parameters import OwnParameters
from hypermnesia.protection.settings import HypernetworkSettings
from hypermnesia.protection.sizes import make_hypernetwork
from hypermnesia.protection.task_loss import EmbeddingChoice, Loss, TaskLoss
from hypermnesia.regularizers import Penalty
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.task import Task
from hypermnesia.training.given import Given, check_shapes, take_given
from hypermnesia.training.kept import KeptNetworks
from hypermnesia.training.objective import Objective
from hypermnesia.training.part import Part
from hypermnesia.training.precision import forward_precision, single_or_double
from hypermnesia.training.settings import TrainingSettings

_NUMBERS_AT_A_TIME = 2**24
"""Weights and activations of networks that are asked together; a matter of memory and speed only."""


class ProtectedNetwork(Part):
    """A module whose weights a hypernetwork generates for each task, and which forgets none.

    Holds the hypernetwork, the module with its own values (which generated weights are a difference from, unless they
    start at zero), what each task has of its own (the statistics that it has changed, such as batch normalization's,
    and parameters that match `own`) and, while a task is learned, Θ_h from before it.

    Args:
        module: Where it is, the rest will be; its own numbers are used as they are.
        settings: Settings of the hypernetwork and its regularizer.
        training: Precision and compilation of the forward pass.
        seeds: Root of all chance in here.

    Raises:
        ConfigurationError: The settings do not fit the module.

    Attributes:
        functional: The module as a function of its weights and statistics.
        kept: Networks of tasks that were asked for since something was learned.

    Example:
        >>> settings = HypernetworkSettings(chunk_size=4)
        >>> network = ProtectedNetwork(nn.Linear(2, 3), settings, TrainingSettings(), Seeds(0))
        >>> network.begin_task()
        >>> network.functional(network.tensors(0), torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self, module: nn.Module, settings: HypernetworkSettings, training: TrainingSettings, seeds: Seeds
    ) -> None:
        check_takes_weights(module)
        self.module, self.functional = module, FunctionalModule(module, training)
        self.settings = settings
        self._seeds = seeds
        self._precision = training.precision
        self._own = OwnParameters(module, settings, seeds)
        values, generator = dict(module.named_parameters()), seeds.child("hypernetwork").generator()
        hypernetwork = make_hypernetwork(self._own.generated, settings, values, generator)
        self.hypernetwork = hypernetwork.to(next(module.parameters()).device)
        self._use_given()
        self._importance = ChunkImportance(self.hypernetwork) if settings.chunk_importance == "gradient" else None
        self.kept = KeptNetworks(self._made)
        # One dict a task: statistics that it has changed, and parameters of its own.
        self._of_task: list[dict[str, Tensor]] = []
        # Θ_h before the task that is being learned; empty where it stays as it is, None between tasks.
        self._snapshot: dict[str, Tensor] | None = None
        self._current = 0  # that task
        # Of a task that was reopened: its embedding and what it had of its own before; None while a new one is learned.
        self._before: tuple[Tensor, dict[str, Tensor]] | None = None

    @property
    def num_tasks(self) -> int:
        """Tasks learned completely, forgotten ones included."""
        return self.hypernetwork.num_tasks - (self._snapshot is not None and self._before is None)

    @property
    def current(self) -> int:
        """Number of the task that is being learned."""
        return self._current

    @property
    def past(self) -> list[int]:
        """Numbers of all tasks but forgotten ones and the one that is being learned."""
        return [task for task in self.hypernetwork.tasks if self._snapshot is None or task != self._current]

    @property
    def num_weights(self) -> int:
        """Trained numbers: Θ_h, and of each task so far its embedding and the parameters of its own."""
        own = sum(tensors[name].numel() for tensors in self._of_task for name in self._own.names if name in tensors)
        return sum(parameter.numel() for parameter in self.hypernetwork.parameters()) + own

    def tensors(self, task: int, embedding: Tensor | None = None) -> dict[str, Tensor]:
        """Weights and statistics of a task by name: what is generated for it and what it has of its own.

        Args:
            task: Its number; the task being learned counts too.
            embedding: To use instead of the task's own, `[embedding_dim]`.
        """
        weights = self.hypernetwork(task) if embedding is None else self.hypernetwork.generate(embedding)
        return {**weights, **self._of_task[task]}

    def network_of(self, task: int, *, one_of_all: bool = False) -> nn.Module:
        """Return the network of a task: a copy of the module with its weights and statistics, in evaluation mode.

        Between tasks it is kept; nobody may change it.

        Args:
            task: Its number; the task being learned counts too.
            one_of_all: Whether all tasks are asked one after another.
        """
        return self._made(task)[0] if self._snapshot is not None else self.kept.of(task, one_of_all=one_of_all)

    def answer(self, task: int, inputs: Inputs, *, one_of_all: bool = False) -> Tensor:
        """Return what the network of a task puts out in use."""
        network = self.network_of(task, one_of_all=one_of_all)
        with torch.no_grad(), forward_precision(self._precision, inputs.device):
            return single_or_double(modules.answer(network, inputs))

    @torch.no_grad()
    def _made(self, task: int) -> tuple[nn.Module, int]:
        # In memory of their own: where a tensor lies decides about the last digits of sums.
        tensors = {name: tensor.clone() for name, tensor in self.functional.typed(self.tensors(task)).items()}
        own = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        return with_tensors(self.module, tensors).eval(), own

    def outputs(
        self, embeddings: Float[Tensor, "points embedding"], inputs: Inputs, task: int
    ) -> Float[Tensor, "points inputs outputs"]:
        """The module's outputs with weights generated from each embedding, several embeddings at a time.

        Args:
            embeddings: Any, learned or not.
            inputs: For all of them.
            task: Whose statistics are used.
        """

        def of_one(embedding: Tensor) -> Tensor:
            return self.functional(self.tensors(task, embedding), inputs)

        at_a_time = max(1, _NUMBERS_AT_A_TIME // (self.hypernetwork.layout.size + inputs.numel()))
        return torch.func.vmap(of_one, chunk_size=at_a_time)(embeddings)

    def of_task(self, task: int) -> dict[str, Tensor]:
        """What the task has of its own, by name: statistics that it has changed, and parameters that match `own`."""
        return self._of_task[task]

    def tensors_before(self, task: int) -> dict[str, Tensor]:
        """Like :meth:`tensors`, of a past task, as it was before the task that is being learned."""
        embedding = self.hypernetwork.task_embeddings[task]
        return {**self.hypernetwork.generate(embedding, self._snapshot), **self._of_task[task]}

    @contextlib.contextmanager
    def for_use(self) -> Iterator[None]:
        """The module in evaluation mode, without gradients."""
        with evaluation_mode(self.module), torch.no_grad():
            yield

    def begin_task(self, outputs: int = 1, input_shape: Shape = ()) -> None:
        """Make room for one more task: an embedding, what the task has of its own, a snapshot of Θ_h."""
        self.kept.clear()
        self._take_snapshot()
        number = self._current = self.hypernetwork.num_tasks
        self.hypernetwork.add_task(self._seeds.child("task", number, "embedding").generator())
        statistics = {name: b.clone() for name, b in self.module.named_buffers()}
        self._of_task.append({**statistics, **self._own.of_new_task(number)})

    def reopen_task(self, task: int) -> None:
        """Go back to a task that was learned: to its embedding, its statistics and the parameters of its own."""
        self.kept.clear()
        self._take_snapshot()
        self._current = task
        embedding, of_task = self.hypernetwork.task_embeddings[task], self._of_task[task]
        self._before = embedding.detach(), of_task
        self.hypernetwork.task_embeddings[task] = nn.Parameter(embedding.detach().clone())
        now = {**dict(self.module.named_buffers()), **of_task}
        copies = {name: tensor.clone() for name, tensor in now.items()}
        self._of_task[task] = copies | {name: nn.Parameter(copies[name]) for name in self._own.names}

    def forget_task(self, task: int) -> None:
        """Drop a task's embedding, its statistics and the parameters of its own; Θ_h stays as it is."""
        self.kept.clear()
        self.hypernetwork.remove_task(task)
        self._of_task[task] = {}

    def _take_snapshot(self) -> None:
        self._snapshot = {name: p.detach().clone() for name, p in self.hypernetwork.shared_parameters().items()}
        self._before = None

    def freeze(self) -> None:
        """Let the task that was begun be learned with nothing but what is its own: Θ_h stays as it is."""
        assert self._snapshot is not None
        self._snapshot = {}

    @property
    def is_frozen(self) -> bool:
        """Whether the task that is being learned leaves Θ_h as it is."""
        return self._snapshot == {}

    def objective(
        self, loss: Loss, others: Mapping[str, nn.Parameter] | None = None, penalty: Penalty | None = None
    ) -> Objective:
        """Objective of the task that was begun.

        Args:
            loss: Is given the task's weights and statistics.
            others: Parameters of the loss that are not generated, by name; left alone where Θ_h is frozen.
            penalty: Holds Θ_h itself; only where β = 0.
        """
        assert self._snapshot is not None
        task, is_new = self._current, self._before is None
        of_task, seeds = self._of_task[task], self._seeds.child("task", task, *(() if is_new else ("again",)))
        # In one order, whatever a file has made of that of the dict: the optimizer's state is by it.
        own = {n: p for n in self._own.names if isinstance(p := of_task[n], nn.Parameter)}
        statistics = [tensor for tensor in of_task.values() if not isinstance(tensor, nn.Parameter)]
        # Nothing that is generated before anything was learned fits better than anything else.
        further = self.settings.embedding_candidates - 1 if is_new and task > 0 else 0
        choice = EmbeddingChoice(self.hypernetwork, further, seeds, statistics)

        task_loss = TaskLoss(loss, of_task, self.functional.holding)
        if self.is_frozen:
            return AdaptationObjective(self.hypernetwork, task, task_loss, choice, own, self._importance)
        others = {**(others or {}), **own}
        return ProtectedObjective(
            self.hypernetwork,
            task,
            task_loss,
            self._snapshot,
            self.settings,
            seeds,
            choice,
            others,
            penalty,
            self._importance,
        )

    def end_task(self, task: Task | None = None) -> None:
        """Keep what was learned of the task."""
        before = dict(self.module.named_buffers())
        self._of_task[self._current] = {
            name: tensor.detach()
            for name, tensor in self._of_task[self._current].items()
            if name in self._own.names or not torch.equal(tensor, before[name])
        }
        self.hypernetwork.task_embeddings.requires_grad_(False)
        if self._importance is not None:
            self._importance.keep()
        self._snapshot = self._before = None

    @torch.no_grad()
    def abandon_task(self) -> None:
        """Go back to before the task was begun."""
        assert self._snapshot is not None
        theta = self.hypernetwork.shared_parameters()
        for name, before in self._snapshot.items():
            theta[name].copy_(before)
        if self._before is None:
            self.hypernetwork.task_embeddings = self.hypernetwork.task_embeddings[:-1]
            self._of_task.pop()
        else:
            embedding, self._of_task[self._current] = self._before
            self.hypernetwork.task_embeddings[self._current] = nn.Parameter(embedding, requires_grad=False)
        self._snapshot = self._before = None

    def state(self) -> dict[str, Any]:
        """All of it, also amid a task: nested dicts and lists of tensors and plain values."""
        layout = self.hypernetwork.layout
        return {
            "layout": {name: list(shape) for name, shape in zip(layout.names, layout.shapes, strict=True)},
            "theta": dict(self.hypernetwork.shared_parameters()),
            "task_embeddings": list(self.hypernetwork.task_embeddings),
            "module": self.given(),
            "of_task": self._of_task,
            "snapshot": self._snapshot,
            "current": self._current if self._snapshot is not None else None,
            "before": None if self._before is None else list(self._before),
            **({} if self._importance is None else {"importance": self._importance.state()}),
        }

    @torch.no_grad()
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave.

        Raises:
            CheckpointError: It comes from a module of another architecture.
        """
        self.kept.clear()
        layout = self.hypernetwork.layout
        check_shapes(dict(zip(layout.names, layout.shapes, strict=True)), state["layout"])
        self.take_given(state["module"])
        shapes = {name: parameter.shape for name, parameter in self.hypernetwork.shared_parameters().items()}
        for part in ("theta", "snapshot"):
            if state[part]:  # Θ_h stays as it is where nothing is kept of it
                check_shapes(shapes, {name: tensor.shape for name, tensor in state[part].items()})
        for name, parameter in self.hypernetwork.shared_parameters().items():
            parameter.copy_(state["theta"][name])
        self.hypernetwork.task_embeddings = nn.ParameterList()
        for embedding in state["task_embeddings"]:
            task = self.hypernetwork.add_task(torch.Generator())
            if embedding.numel():
                self.hypernetwork.task_embeddings[task].copy_(embedding)
            else:
                self.hypernetwork.remove_task(task)
        device = self.hypernetwork.readout.device
        # Copies, also because what was read from a file may lie unaligned: sums would then differ in their last digits.
        self._of_task = [{n: t.to(device, copy=True) for n, t in of_task.items()} for of_task in state["of_task"]]
        snapshot = state["snapshot"]
        self._snapshot = None if snapshot is None else {n: p.to(device, copy=True) for n, p in snapshot.items()}
        self.hypernetwork.task_embeddings.requires_grad_(False)
        self._before = None
        if self._snapshot is not None:
            self._current = state["current"]
            self.hypernetwork.task_embeddings[self._current].requires_grad_(True)
            of_task = self._of_task[self._current]
            of_task |= {name: nn.Parameter(of_task[name]) for name in self._own.names}
        if self._importance is not None:
            self._importance.load_state(state["importance"])
        if state["before"] is not None:
            embedding, of_task = state["before"]
            copies = {name: tensor.to(device, copy=True) for name, tensor in of_task.items()}
            self._before = embedding.to(device, copy=True), copies

    def given(self) -> Given:
        """What the module has of its own and keeps: Θ_0, parameters that are not generated, and initial buffers."""
        all_tensors = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        unused = set(self.hypernetwork.layout.names) if self.hypernetwork.base is None else ()
        return Given({name: tensor for name, tensor in all_tensors.items() if name not in unused})

    def take_given(self, saved: Mapping[str, Any]) -> None:
        """Take over what :meth:`given` of another gave, or compare it where it was left out of a file.

        Raises:
            CheckpointError: It comes from a module of another architecture, or left out were other values.
        """
        take_given(self.given(), saved)
        self._use_given()

    def share_given(self, other: ProtectedNetwork) -> None:
        """Hold Θ_0 where another network of the same module and settings holds it, so that it is there only once."""
        self.hypernetwork.base = other.hypernetwork.base
        self._use_given()

    def _use_given(self) -> None:
        """Let the hypernetwork's Θ_0 be the module's values, in the same storage, so that they are there only once."""
        base, layout = self.hypernetwork.base, self.hypernetwork.layout
        if base is None:
            return
        parameters = dict(self.module.named_parameters())
        base.view(-1)[: layout.size] = layout.flatten(parameters).detach()
        for name, values in layout.unflatten(base.view(-1)).items():
            if parameters[name].dtype == base.dtype:
                parameters[name].data = values
