"""Who is measured: the plain target network, this package, and hypnettorch, each as it is used."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

import torch
from hypnettorch.hnets.chunked_mlp_hnet import ChunkedHMLP
from hypnettorch.mnets.mlp import MLP
from hypnettorch.utils.hnet_regularizer import calc_fix_target_reg, get_current_targets
from torch import Tensor
from torch.nn import functional

from benchmarks.timing import Steps
from benchmarks.workload import Workload
from hypermnesia.learners import HypernetworkLearner
from hypermnesia.networks import ACTIVATIONS
from hypermnesia.training import Progress
from hypermnesia.training.optimizer import make_optimizer
from hypermnesia.training.step import GraphedStep


def plain(workload: Workload, past_tasks: int) -> Steps:
    """The target network trained directly, whatever came before; on CUDA as a graph, as here."""
    network = workload.network()
    optimizer = make_optimizer(network.parameters(), workload.experiment.training)
    batches = workload.batches()

    def step(inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(inputs), labels)
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach()}

    do = functools.partial(GraphedStep(), step) if workload.device.type == "cuda" else step

    def steps(number: int) -> None:
        for _ in range(number):
            do(*next(batches))

    return steps


def hypermnesia(workload: Workload, past_tasks: int) -> Steps:
    """This package in the task after `past_tasks`, each of which was learned for one step."""
    training = workload.experiment.training
    settings = workload.experiment.learner.model_dump(exclude={"method"})
    learner = HypernetworkLearner(workload.network(), training=training, device=workload.device, **settings)
    learner.training = training.model_copy(update={"iterations": 1})
    for _ in range(past_tasks):
        learner.learn(workload.task)
    learner.training = training.model_copy(update={"iterations": 10**9})

    def steps(number: int) -> None:
        with contextlib.suppress(_EnoughError):
            learner.learn(workload.task, monitor=_StopAfter(number))

    return steps


def hypnettorch(workload: Workload, past_tasks: int) -> Steps:
    """The field's library, version 0.0.4, in the task after `past_tasks`: stored targets and no lookahead."""
    settings, network = workload.experiment.learner, workload.experiment.network
    target = MLP(
        n_in=workload.inputs,
        n_out=workload.outputs,
        hidden_layers=network.hidden,
        activation_fn=ACTIVATIONS[network.activation](),
        no_weights=True,
        verbose=False,
    ).to(workload.device)
    hypernetwork = ChunkedHMLP(
        target.param_shapes,
        settings.chunk_size,
        chunk_emb_size=settings.chunk_embedding_dim,
        cond_in_size=settings.embedding_dim,
        layers=settings.hidden,
        activation_fn=ACTIVATIONS[settings.activation](),
        num_cond_embs=past_tasks + 1,
        verbose=False,
    ).to(workload.device)
    learned = [*hypernetwork.unconditional_params, hypernetwork.conditional_params[past_tasks]]
    optimizer = make_optimizer(learned, workload.experiment.training)
    targets = get_current_targets(past_tasks, hypernetwork) if past_tasks else None
    batches = workload.batches()

    def steps(number: int) -> None:
        for _ in range(number):
            inputs, labels = next(batches)
            optimizer.zero_grad()
            weights = hypernetwork(cond_id=past_tasks)
            loss = functional.cross_entropy(target(inputs.flatten(1), weights=weights), labels)
            if past_tasks:
                loss = loss + settings.beta * calc_fix_target_reg(hypernetwork, past_tasks, targets=targets)
            loss.backward()
            optimizer.step()

    return steps


def hypnettorch_memory(workload: Workload, past_tasks: int) -> int:
    """About how many bytes :func:`hypnettorch` needs: five times the weights of a task, for each (measured)."""
    weights = sum(parameter.numel() for parameter in workload.network().parameters())
    return 5 * past_tasks * weights * torch.finfo(torch.float32).bits // 8


CONTENDERS: dict[str, Callable[[Workload, int], Steps]] = {
    "plain": plain,
    "hypermnesia": hypermnesia,
    "hypnettorch": hypnettorch,
}
"""Each takes a workload and a number of past tasks, and gives the steps of the next one."""


class _EnoughError(Exception):
    """Raised to leave a task for a while; learning it again goes on."""


class _StopAfter:
    def __init__(self, steps: int) -> None:
        self._left = steps

    def __call__(self, progress: Progress) -> None:
        self._left -= 1
        if self._left == 0:
            raise _EnoughError
