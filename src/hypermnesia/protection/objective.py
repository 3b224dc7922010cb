"""Objectives of a generated network: task loss and output regularizer, or the task's embedding alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia import parallel
from hypermnesia.errors import ConfigurationError
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.inputs import Inputs
from hypermnesia.modules import Result
from hypermnesia.protection.settings import HypernetworkSettings
from hypermnesia.regularizers import OutputRegularizer, Penalty, gradient_step, lookahead
from hypermnesia.seeds import Seeds
from hypermnesia.training.objective import WHOLE, Batches, Objective, Portion

EMBEDDING = "task_embedding"
"""Name, among parameters, of the embedding of the task that is being learned."""

Loss = Callable[[dict[str, Tensor], Inputs, Tensor], tuple[Tensor, dict[str, Tensor]]]
"""Function of generated weights by name, this rank's inputs, and the labels of the whole batch, that returns what these
inputs add to the task loss of the batch, and to scalars to report."""


Hold = Callable[[dict[str, Tensor], Callable[[], Any]], Any]
"""Function that calls another while a module has these weights and statistics by name, and returns its result."""


class TaskLoss:
    """Loss of a task as a function of generated weights, which the module holds until its gradient is there.

    Where a batch is divided over ranks, it is what the share of this one adds to the loss.

    Parts of a module that are computed again in the backward pass (`torch.utils.checkpoint`) take the weights that the
    module has then: they must be the generated ones still.

    Args:
        loss: Function of all weights and statistics by name, inputs and labels.
        of_task: Statistics of the task, and parameters of its own.
        hold: Calls a function while the module has these weights and statistics.
    """

    def __init__(self, loss: Loss, of_task: dict[str, Tensor], hold: Hold) -> None:
        self._loss = loss
        self._of_task = of_task
        self._hold = hold

    def __call__(self, weights: dict[str, Tensor], inputs: Inputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of generated weights, and scalars to report."""
        return self._loss({**weights, **self._of_task}, parallel.share(inputs), labels)

    def statistics(self) -> list[Tensor]:
        """Return the statistics of the task."""
        return [tensor for _, tensor in sorted(self._of_task.items()) if not isinstance(tensor, nn.Parameter)]

    def holding(self, weights: dict[str, Tensor], action: Callable[[], Result]) -> Result:
        """Call a function while the module holds generated weights."""
        result: Result = self._hold({**weights, **self._of_task}, action)
        return result

    def accumulate_gradients(
        self, weights: dict[str, Tensor], inputs: Inputs, labels: Tensor, portion: Portion
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the gradient of the loss to `.grad` of all that the weights were generated from.

        Returns:
            Loss, detached, and scalars to report.
        """
        # As leaves: some backward passes inside of the module end there, so that what is behind them is passed once.
        leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}

        def to_the_leaves() -> tuple[Tensor, dict[str, Tensor]]:
            loss, scalars = self(leaves, inputs, labels)
            portion.loss(loss).backward()
            return loss.detach(), scalars

        loss, scalars = self.holding(leaves, to_the_leaves)
        reached = [name for name, leaf in leaves.items() if leaf.grad is not None]
        gradients = [_dense(leaves[name].grad) for name in reached]
        torch.autograd.backward([weights[name] for name in reached], gradients)
        return loss, scalars


def _dense(gradient: Tensor | None) -> Tensor | None:
    return gradient if gradient is None or gradient.layout is torch.strided else gradient.to_dense()


class EmbeddingChoice:
    """Choice of where the newest task begins: of several drawn embeddings the one whose network fits best.

    The first candidate is the embedding that the task has already.

    Args:
        hypernetwork: Hypernetwork whose newest task begins.
        further: Number of candidates beside the first.
        seeds: Seeds of the candidates.
        statistics: Tensors of the task that its loss changes, such as those of batch normalization; they are put back.
    """

    def __init__(self, hypernetwork: Hypernetwork, further: int, seeds: Seeds, statistics: Sequence[Tensor]) -> None:
        self._hypernetwork = hypernetwork
        self._further = further
        self._seeds = seeds
        self._statistics = list(statistics)

    def __call__(self, loss: Loss, batches: Batches) -> None:
        """Give the task the embedding whose network has the least loss on some batches."""
        if self._further == 0:
            return
        embedding = self._hypernetwork.task_embeddings[-1].detach()
        generator = self._seeds.child("candidates").generator()
        drawn = torch.randn(self._further, len(embedding), generator=generator).to(embedding)
        candidates = torch.cat([embedding[None], drawn])
        before = [tensor.clone() for tensor in self._statistics]
        losses = []
        for candidate in candidates:  # one after another, so that memory does not grow
            with torch.no_grad():
                weights = self._hypernetwork.generate(candidate)
            losses.append(torch.stack([loss(weights, *batch)[0].detach() for batch in batches]).sum())
        for tensor, value in zip(self._statistics, before, strict=True):
            tensor.copy_(value)
        embedding.copy_(candidates[parallel.summed(torch.stack(losses)).nan_to_num(torch.inf).argmin()])


class ProtectedObjective(Objective):
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
    ) -> None:
        assert penalty is None or settings.beta == 0
        if settings.gradient_through_lookahead and parallel.size() > 1:
            raise ConfigurationError(
                "gradient_through_lookahead asks for derivatives of gradients, which are not summed over processes:"
                " leave it out, or learn with one process"
            )
        self._penalty = penalty
        self._hypernetwork = hypernetwork
        self._loss = loss
        self._settings = settings
        self._seeds = seeds
        self._theta = hypernetwork.shared_parameters()
        self._embedding = hypernetwork.task_embeddings[task]
        self._others = dict(others or {})
        # Of a step whose gradient flows through the lookahead: its batch, with the weights generated for it.
        self._held: tuple[dict[str, Tensor], Inputs, Tensor] | None = None
        self._choice = choice
        past = [number for number in hypernetwork.tasks if number != task]
        self._num_past = len(past)
        self._regularizer: OutputRegularizer | None = None
        if past and settings.beta > 0:
            self._regularizer = OutputRegularizer(hypernetwork, past, snapshot=snapshot, method=settings.regularizer)
        self._beta = settings.beta
        if self._regularizer is not None and settings.beta_relative:
            past_embeddings = hypernetwork.embeddings(past)
            # Nothing to be relative to where all weights are zero.
            self._beta /= float(hypernetwork.squared_norms(past_embeddings, snapshot).mean()) or 1.0
        self._rate_factor = 1.0 if settings.rate_factor == "features" else settings.rate_factor
        if settings.rate_factor == "features":
            anywhere = torch.randn(16, hypernetwork.embedding_dim, generator=seeds.child("rate").generator())
            with torch.no_grad():
                features = hypernetwork.features(anywhere.to(self._embedding), snapshot)
            # Of a step, which all chunks share, each gets 1/√chunks where their gradients have nothing in common.
            self._rate_factor = math.sqrt(hypernetwork.num_chunks) / float(features.abs().sum(-1).mean())
        self._subset: Tensor | None = None
        if settings.max_tasks is not None and settings.max_tasks < self._num_past:
            self._subset = torch.zeros(settings.max_tasks, dtype=torch.int64, device=hypernetwork.readout.device)

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

    def begin(self, batches: Batches) -> None:
        """Let the task begin with that of several embeddings whose network fits its first step best."""
        self._choice(self._loss, batches)

    def prepare(self, iteration: int) -> None:
        """Choose the past tasks that the regularizer covers in a step, where it does not cover all."""
        if self._subset is not None:
            generator = self._seeds.child("past tasks", iteration).generator()
            self._subset.copy_(torch.randperm(self._num_past, generator=generator)[: len(self._subset)])

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

    def complete(self, scalars: dict[str, Tensor], optimizer: Optimizer) -> dict[str, Tensor]:
        """Add the gradient of the regularizer or penalty to `.grad`; return loss, its parts and the other scalars."""
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
            candidate = self._candidate(optimizer)
            penalty = self._regularizer.accumulate_gradients(candidate, so_far, self._beta, self._subset)
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
            candidate = self._candidate(optimizer, dict(zip(parameters, gradients, strict=True)))
            penalty = regularizer(candidate, self._subset)
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

    def _candidate(self, optimizer: Optimizer, gradients: dict[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        """The candidate Θ_h + ΔΘ_h, by name."""
        only = set(self._theta.values())
        match self._settings.lookahead:
            case "none":
                return dict(self._theta)
            case "sgd":
                candidates = gradient_step(optimizer, self._settings.lookahead_rate, gradients, only=only)
            case "optimizer":
                candidates = lookahead(optimizer, gradients, only=only)
        in_order = [p for group in optimizer.param_groups for p in group["params"] if p in only]
        found = dict(zip(in_order, candidates, strict=True))
        return {name: found[parameter] for name, parameter in self._theta.items()}


class AdaptationObjective(Objective):
    """Objective L_task(Θ_h, e^(T)) whose parameters are e^(T) and what else only the task has.

    It needs no regularizer: where Θ_h does not move, nothing that is generated for other tasks can change.

    Args:
        hypernetwork: Hypernetwork that generates the weights.
        task: Number of the task to learn.
        loss: Task loss L_task.
        choice: Choice of the embedding to begin with.
        own: Parameters of the loss that are the task's own, by name.
    """

    def __init__(
        self,
        hypernetwork: Hypernetwork,
        task: int,
        loss: TaskLoss,
        choice: EmbeddingChoice,
        own: Mapping[str, nn.Parameter] | None = None,
    ) -> None:
        self._hypernetwork = hypernetwork
        self._loss = loss
        self._theta = {name: parameter.detach() for name, parameter in hypernetwork.shared_parameters().items()}
        self._embedding = hypernetwork.task_embeddings[task]
        self._choice = choice
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

    def begin(self, batches: Batches) -> None:
        """Let the task begin with that of several embeddings whose network fits its first step best."""
        self._choice(self._loss, batches)

    def prepare(self, iteration: int) -> None:
        """Do nothing: this objective makes no random choices."""

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        """Add the gradient to `.grad` of its parameters; return the loss and the scalars of the task loss."""
        weights = self._hypernetwork.generate(self._embedding, self._theta)
        loss, scalars = self._loss.accumulate_gradients(weights, inputs, labels, portion)
        return {"loss": loss, **scalars}
