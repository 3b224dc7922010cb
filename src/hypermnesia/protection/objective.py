"""Objectives of a generated network: task loss and output regularizer, or the task's embedding alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia import parallel
from hypermnesia.errors import ConfigurationError
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.inputs import Inputs
from hypermnesia.protection.chunk_importance import MEASURED_BATCHES, ChunkImportance
from hypermnesia.protection.settings import HypernetworkSettings
from hypermnesia.protection.task_loss import EmbeddingChoice, TaskLoss
from hypermnesia.regularizers import OutputRegularizer, Penalty, gradient_step, lookahead
from hypermnesia.seeds import Seeds
from hypermnesia.training.objective import WHOLE, Batches, Objective, Portion

EMBEDDING = "task_embedding"
"""Name, among parameters, of the embedding of the task that is being learned."""


class _GeneratedObjective(Objective):
    """Objective of a task whose weights are generated: where it begins, and what is measured of it at the end."""

    def __init__(
        self,
        hypernetwork: Hypernetwork,
        task: int,
        loss: TaskLoss,
        choice: EmbeddingChoice,
        importance: ChunkImportance | None,
    ) -> None:
        self._hypernetwork = hypernetwork
        self._task = task
        self._embedding = hypernetwork.task_embeddings[task]
        self._loss = loss
        self._choice = choice
        self._importance = importance

    def begin(self, batches: Batches) -> None:
        """Let the task begin with that of several embeddings whose network fits its first step best."""
        self._choice(self._loss, batches)

    @property
    def num_measured(self) -> int:
        """Number of batches by which the importance of chunks is measured; 0 where all are alike."""
        return 0 if self._importance is None else MEASURED_BATCHES

    def measure(self, inputs: Inputs, labels: Tensor, portion: Portion) -> None:
        """Measure how much each chunk matters to the task."""
        if self._importance is not None:
            self._importance.measure(self._task, self._loss, inputs, labels, portion)


class ProtectedObjective(_GeneratedObjective):
    """Objective L = L_task(Θ_h, e^(T)) + β/(T-1) · Σ_{t<T} ‖ f_h(e^(t), Θ_h*) − f_h(e^(t), Θ_h + ΔΘ_h) ‖².

    ΔΘ_h is the step that the optimizer would take on the task loss alone. Only Θ_h gets the regularizer's gradient;
    the current task's embedding, and parameters learned along with it, get that of the task loss.

    Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, equation 2 and appendix A.

    Args:
        hypernetwork: Hypernetwork that generates the weights.
        task: Number of the task to learn; all others are past.
        loss: Task loss L_task.
        snapshot: Parameters Θ_h before the task was begun, by name.
        settings: Settings of β, of the lookahead and of the number of past tasks a step.
        seeds: Seeds of the choice of past tasks.
        choice: Choice of the embedding to begin with.
        others: Parameters of the loss that are not generated, by name, such as those of an encoder.
        penalty: Penalty on moving Θ_h itself, instead of the regularizer (β = 0); None for none.
        importance: How much each chunk counts in the regularizer, which is measured at the end; None for all alike.
    """

    def __init__(
        self,
        hypernetwork: Hypernetwork,
        task: int,
        loss: TaskLoss,
        snapshot: dict[str, Tensor],
        settings: HypernetworkSettings,
        seeds: Seeds,
        choice: EmbeddingChoice,
        others: Mapping[str, nn.Parameter] | None = None,
        penalty: Penalty | None = None,
        importance: ChunkImportance | None = None,
    ) -> None:
        assert penalty is None or settings.beta == 0
        if settings.gradient_through_lookahead and parallel.size() > 1:
            raise ConfigurationError(
                "gradient_through_lookahead asks for derivatives of gradients, which are not summed over processes:"
                " leave it out, or learn with one process"
            )
        super().__init__(hypernetwork, task, loss, choice, importance)
        self._penalty = penalty
        self._settings = settings
        self._seeds = seeds
        self._theta = hypernetwork.shared_parameters()
        self._others = dict(others or {})
        # Of a step whose gradient flows through the lookahead: its batch, with the weights generated for it.
        self._held: tuple[dict[str, Tensor], Inputs, Tensor] | None = None
        past = [number for number in hypernetwork.tasks if number != task]
        self._num_past = len(past)
        self._regularizer: OutputRegularizer | None = None
        if past and settings.beta > 0:
            weights = None if importance is None else importance.weights
            self._regularizer = OutputRegularizer(
                hypernetwork, past, snapshot=snapshot, weights=weights, method=settings.regularizer
            )
        self._beta = settings.beta
        if self._regularizer is not None and settings.beta_relative:
            past_embeddings = hypernetwork.embeddings(past)
            # Nothing to be relative to where all weights are zero.
            self._beta /= float(hypernetwork.squared_norms(past_embeddings, snapshot).mean()) or 1.0
        self._rate_factor = 1.0 if settings.rate_factor == "features" else settings.rate_factor
        if settings.rate_factor == "features":
            generator = seeds.child("rate").generator()
            anywhere = torch.randn(16, hypernetwork.embedding_dim, dtype=torch.float32, generator=generator)
            with torch.no_grad():
                features = hypernetwork.features(anywhere.to(self._embedding), snapshot)
            # Of a step, which all chunks share, each gets 1/√chunks where their gradients have nothing in common.
            self._rate_factor = math.sqrt(hypernetwork.num_chunks) / float(features.abs().sum(-1).mean())
        self._pairs: Tensor | None = None
        chunks = hypernetwork.num_chunks
        most = settings.max_pairs if settings.max_tasks is None else settings.max_tasks * chunks
        if most is not None and most < self._num_past * chunks:
            self._pairs = torch.zeros(most, dtype=torch.int64, device=hypernetwork.readout.device)

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Return Θ_h, the current task's embedding, and the others."""
        theta = {f"hypernetwork.{name}": parameter for name, parameter in self._theta.items()}
        return {**theta, EMBEDDING: self._embedding, **self._others}

    def statistics(self) -> list[Tensor]:
        """Return the statistics of the task, and what the penalty changes."""
        return [*self._loss.statistics(), *([] if self._penalty is None else self._penalty.statistics())]

    def rate_factors(self) -> dict[Tensor, float]:
        """Return the factor for Θ_h."""
        return dict.fromkeys(self._theta.values(), self._rate_factor)

    @property
    def remedy(self) -> str:
        """What a person can try where a task was hardly learned."""
        beta = ", a smaller beta" if self._regularizer is not None else ""
        return f"Try another training.learning_rate, more iterations{beta}, or larger chunks (compression, chunk_size)."

    def prepare(self, iteration: int) -> None:
        """Choose the past tasks, or their pairs with chunks, of a step, where the regularizer does not look at all."""
        if self._pairs is None:
            return
        generator, chunks = self._seeds.child("past tasks", iteration).generator(), self._hypernetwork.num_chunks
        if self._settings.max_tasks is None:
            self._pairs.copy_(torch.randperm(self._num_past * chunks, generator=generator)[: len(self._pairs)])
        else:
            tasks = torch.randperm(self._num_past, generator=generator)[: self._settings.max_tasks]
            self._pairs.copy_((tasks[:, None] * chunks + torch.arange(chunks)).flatten())

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        """Add the gradient of the task loss to `.grad`; return it and its scalars."""
        weights = self._hypernetwork.generate(self._embedding, self._theta)
        if self._regularizer is not None and self._settings.gradient_through_lookahead:
            if portion != WHOLE:
                raise ConfigurationError(
                    "gradient_through_lookahead asks for derivatives of gradients, which are neither accumulated over"
                    " batches nor scaled for float16: leave it out, or leave training.gradient_accumulation_steps at 1"
                    " and choose another training.precision"
                )
            self._held = weights, inputs, labels
            return {}
        task_loss, scalars = self._loss.accumulate_gradients(weights, inputs, labels, portion)
        return {"task_loss": task_loss, **scalars}

    def complete(
        self, scalars: dict[str, Tensor], optimizer: Optimizer, *, is_final: bool = False
    ) -> dict[str, Tensor]:
        """Add the gradient of the regularizer or penalty to `.grad`; return loss, its parts and the other scalars.

        Where it can, take the step of a large readout in the same pass.
        """
        if self._held is not None:
            held, self._held = self._held, None
            return self._report(*self._through_lookahead(*held, optimizer))
        task_loss = scalars.pop("task_loss")
        if self._regularizer is None:
            penalty = torch.zeros_like(task_loss)
            if self._penalty is not None:
                scalars["penalty"] = self._penalty.accumulate_gradients(self._theta)
        else:
            so_far = {name: parameter.grad for name, parameter in self._theta.items() if parameter.grad is not None}
            at_next_step = self._settings.lookahead == "optimizer"
            if is_final and at_next_step and self._regularizer.can_take_step(optimizer):
                trunk = {name: parameter for name, parameter in self._theta.items() if name != "readout"}
                candidate = self._candidate(optimizer, trunk)
                penalty = self._regularizer.take_step(optimizer, candidate, so_far, self._beta, self._pairs)
                self._hypernetwork.readout.grad = None
            else:
                candidate = self._candidate(optimizer, self._theta)
                penalty = self._regularizer.accumulate_gradients(candidate, so_far, self._beta, self._pairs)
        return self._report(task_loss, penalty, scalars)

    def _through_lookahead(
        self, weights: dict[str, Tensor], inputs: Inputs, labels: Tensor, optimizer: Optimizer
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Add both gradients to `.grad`, that of the regularizer by way of the step too."""
        assert self._regularizer is not None
        regularizer = self._regularizer
        parameters = self.parameters()

        def both() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
            task_loss, scalars = self._loss(weights, inputs, labels)
            gradients = torch.autograd.grad(task_loss, parameters, create_graph=True)
            candidate = self._candidate(optimizer, self._theta, dict(zip(parameters, gradients, strict=True)))
            penalty = regularizer(candidate, self._pairs)
            # By Θ_h alone: the candidate is a function of the other parameters too.
            (self._beta * penalty).backward(inputs=list(self._theta.values()))
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.detach() + (0 if parameter.grad is None else parameter.grad)
            return task_loss, penalty, scalars

        return self._loss.holding(weights, both)

    @torch.no_grad()
    def _report(self, task_loss: Tensor, penalty: Tensor, scalars: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            "loss": task_loss + self._beta * penalty + scalars.get("penalty", 0.0),
            "task_loss": task_loss.detach(),
            "regularizer": penalty.detach(),
            **{name: scalar.detach() for name, scalar in scalars.items()},
        }

    def _candidate(
        self,
        optimizer: Optimizer,
        parameters: Mapping[str, nn.Parameter],
        gradients: dict[Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """The candidate Θ_h + ΔΘ_h of some parameters, by name."""
        only = set(parameters.values())
        match self._settings.lookahead:
            case "none":
                return dict(parameters)
            case "sgd":
                candidates = gradient_step(optimizer, self._settings.lookahead_rate, gradients, only=only)
            case "optimizer":
                candidates = lookahead(optimizer, gradients, only=only)
        in_order = [p for group in optimizer.param_groups for p in group["params"] if p in only]
        found = dict(zip(in_order, candidates, strict=True))
        return {name: found[parameter] for name, parameter in parameters.items()}


class AdaptationObjective(_GeneratedObjective):
    """Objective L_task(Θ_h, e^(T)) whose parameters are e^(T) and what else only the task has.

    It needs no regularizer: where Θ_h does not move, nothing that is generated for other tasks can change.

    Args:
        hypernetwork: Hypernetwork that generates the weights.
        task: Number of the task to learn.
        loss: Task loss L_task.
        choice: Choice of the embedding to begin with.
        own: Parameters of the loss that are the task's own, by name.
        importance: How much each chunk matters, which is measured at the end; None where all count alike.
    """

    def __init__(
        self,
        hypernetwork: Hypernetwork,
        task: int,
        loss: TaskLoss,
        choice: EmbeddingChoice,
        own: Mapping[str, nn.Parameter] | None = None,
        importance: ChunkImportance | None = None,
    ) -> None:
        super().__init__(hypernetwork, task, loss, choice, importance)
        self._theta = {name: parameter.detach() for name, parameter in hypernetwork.shared_parameters().items()}
        self._own = dict(own or {})

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Return the current task's embedding and its own parameters."""
        return {EMBEDDING: self._embedding, **self._own}

    def frozen(self) -> list[str]:
        """Return the names of Θ_h."""
        return [f"hypernetwork.{name}" for name in self._theta]

    def statistics(self) -> list[Tensor]:
        """Return the statistics of the task."""
        return self._loss.statistics()

    @property
    def remedy(self) -> str:
        """What a person can try where a task was hardly learned."""
        return "An embedding alone may not suffice: use learn instead of adapt, or more iterations."

    def prepare(self, iteration: int) -> None:
        """Do nothing: this objective makes no random choices."""

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        """Add the gradient to `.grad` of its parameters; return the loss and the scalars of the task loss."""
        weights = self._hypernetwork.generate(self._embedding, self._theta)
        loss, scalars = self._loss.accumulate_gradients(weights, inputs, labels, portion)
        return {"loss": loss, **scalars}
