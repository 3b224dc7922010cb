"""Contenders of the measurements: the standard target network, this package and hypnettorch, each as it is used."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Iterator

import torch
from hypnettorch.hnets.chunked_mlp_hnet import ChunkedHMLP
from hypnettorch.mnets.mlp import MLP
from hypnettorch.utils.hnet_regularizer import calc_fix_target_reg, get_current_targets
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.timing import Steps, repeated, waiting
from benchmarks.workload import ENDLESS, Workload
from hypermnesia.errors import StopLearning
from hypermnesia.experiments.settings.build import build_learner
from hypermnesia.learners import ContinualLearner
from hypermnesia.networks import ACTIVATIONS, MLPSettings
from hypermnesia.regularizers import blocked_step
from hypermnesia.training import Monitor, Progress
from hypermnesia.training.optimizer import make_optimizer
from hypermnesia.training.step import GraphedStep


def standard(workload: Workload, past_tasks: int) -> Steps:
    """Steps of the target network alone, the same whatever came before; on CUDA as a graph, as in this package."""
    return trained_directly(workload.network(), workload, workload.batches())


def hypermnesia(workload: Workload, past_tasks: int) -> Steps:
    """Steps of this package in the task after `past_tasks`, each of which was learned for one step."""
    learner = learner_after(workload, past_tasks)
    return with_breaks(lambda monitor: learner.learn(workload.task, monitor=monitor), workload.device)


def difference(workload: Workload, past_tasks: int) -> Steps:
    """Steps of this package where the generated weights are a difference from the target network's own."""
    return hypermnesia(dataclasses.replace(workload, changes={"learner.start": "module"}), past_tasks)


def torch_alone(workload: Workload, past_tasks: int) -> Steps:
    """Steps of this package as it takes them without numba."""
    steps = hypermnesia(workload, past_tasks)

    def without_numba(number: int) -> float | None:
        before, blocked_step.LEAST_WEIGHTS = blocked_step.LEAST_WEIGHTS, sys.maxsize
        try:
            return steps(number)
        finally:
            blocked_step.LEAST_WEIGHTS = before

    return without_numba


def hypnettorch(workload: Workload, past_tasks: int) -> Steps:
    """Steps of hypnettorch 0.0.4 in the task after `past_tasks`, with stored targets and without lookahead."""
    target, hypernetwork = hypnettorch_networks(workload, past_tasks + 1)
    learned = [*hypernetwork.unconditional_params, hypernetwork.conditional_params[past_tasks]]
    optimizer = make_optimizer({str(n): p for n, p in enumerate(learned)}, workload.experiment.training)
    targets = get_current_targets(past_tasks, hypernetwork) if past_tasks else None
    beta = workload.experiment.learner.beta
    batches = workload.batches()

    def step() -> None:
        inputs, labels = next(batches)
        optimizer.zero_grad()
        weights = hypernetwork(cond_id=past_tasks)
        loss = functional.cross_entropy(target(inputs.flatten(1), weights=weights), labels)
        if past_tasks:
            loss = loss + beta * calc_fix_target_reg(hypernetwork, past_tasks, targets=targets)
        loss.backward()
        optimizer.step()

    return repeated(step)


def trained_directly(network: nn.Module, workload: Workload, batches: Iterator[tuple[Tensor, Tensor]]) -> Steps:
    """Steps of a network of its own weights, with the workload's optimizer."""
    optimizer = make_optimizer(dict(network.named_parameters()), workload.experiment.training)

    def step(inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(inputs), labels)
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach()}

    do = functools.partial(GraphedStep(), step) if workload.device.type == "cuda" else step
    return repeated(lambda: do(*next(batches)))


def learner_after(workload: Workload, past_tasks: int) -> ContinualLearner:
    """The preset's learner after `past_tasks` of one step each; the task that it learns next will not end."""
    learner = build_learner(workload.experiment, [workload.task])
    learner.training = workload.training(1)
    for _ in range(past_tasks):
        learner.learn(workload.task)
    learner.training = workload.training(ENDLESS)
    return learner


def hypnettorch_networks(workload: Workload, num_tasks: int) -> tuple[MLP, ChunkedHMLP]:
    """The target network of hypnettorch, which is given its weights, and the hypernetwork they come from."""
    settings, network = workload.experiment.learner, workload.experiment.network
    target = MLP(
        n_in=workload.inputs,
        n_out=workload.outputs,
        hidden_layers=network.hidden,
        activation_fn=ACTIVATIONS[network.activation](),
        no_weights=True,
        verbose=False,
    )
    hypernetwork = ChunkedHMLP(
        target.param_shapes,
        settings.chunk_size,
        chunk_emb_size=settings.chunk_embedding_dim,
        cond_in_size=settings.embedding_dim,
        layers=settings.hidden,
        activation_fn=ACTIVATIONS[settings.activation](),
        num_cond_embs=num_tasks,
        verbose=False,
    )
    return target.to(workload.device), hypernetwork.to(workload.device)


def with_breaks(learn: Callable[[Monitor], object], device: torch.device) -> Steps:
    """Steps of a learner, which are interrupted after each block and go on from there.

    The first step of a block does not count: before it a learner looks through the data of a task that it goes on with.
    """
    wait = waiting(device)

    def steps(number: int) -> float:
        moments: list[float] = []

        def stop(progress: Progress) -> None:
            if len(moments) in (0, number):
                wait()
            moments.append(time.perf_counter())
            if len(moments) > number:
                raise _EnoughError

        with contextlib.suppress(_EnoughError):
            learn(stop)
        return moments[-1] - moments[0]

    return steps


def hypnettorch_has(workload: Workload) -> bool:
    """Whether hypnettorch's target network here, a perceptron, is that of the workload."""
    return isinstance(workload.experiment.network, MLPSettings)


def hypnettorch_memory(workload: Workload, past_tasks: int) -> int:
    """Bytes that :func:`hypnettorch` needs, roughly: as measured, five times the weights for each task."""
    weights = sum(parameter.numel() for parameter in workload.network().parameters())
    return 5 * past_tasks * weights * torch.finfo(torch.float32).bits // 8


CONTENDERS: dict[str, Callable[[Workload, int], Steps]] = {
    "standard": standard,
    "hypermnesia": hypermnesia,
    "difference": difference,
    "torch": torch_alone,
    "hypnettorch": hypnettorch,
}
"""Contenders by name: functions of a workload and a number of past tasks that return the steps of the next task."""


class _EnoughError(StopLearning):
    """Raised to leave a task for a while; learning it again goes on."""
