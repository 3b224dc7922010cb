"""Time of task inference by entropy: every task's network answers for every image, and the least unsure one counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.contenders import hypnettorch_networks, learner_after
from benchmarks.timing import Sample, Steps, in_turns, repeated, waiting
from benchmarks.workload import Workload

PRESET = "permuted-mnist-10"
_IMAGES_AT_A_TIME = 2000  # of 64 to 10,000 about the fastest


def inference_times(
    num_tasks: int, images: int, device: torch.device, rounds: int, seconds: float
) -> dict[str, Sample]:
    """Seconds to infer tasks and labels of all images, by contender, all measured in the same rounds."""
    workload = Workload(PRESET, device)
    contenders = {name: make(workload, num_tasks, workload.images(images)) for name, make in INFERENCE.items()}
    return in_turns(contenders, rounds=rounds, seconds=seconds, wait=waiting(device))


def forward_passes(workload: Workload, num_tasks: int, inputs: Tensor) -> Steps:
    """Forward passes alone, with weights that are already generated: the lower limit.

    One network stands for those of all tasks, so that memory does not grow with their number.
    """
    network = workload.network().eval()
    parts = inputs.split(_IMAGES_AT_A_TIME)

    @torch.no_grad()
    def answer() -> None:
        for _ in range(num_tasks):
            for part in parts:
                network(part)

    return repeated(answer)


def hypermnesia(workload: Workload, num_tasks: int, inputs: Tensor) -> Steps:
    """Task inference of this package: `learner.predict(inputs)`."""
    learner = learner_after(workload, num_tasks)
    return repeated(lambda: learner.predict(inputs))


def hypnettorch(workload: Workload, num_tasks: int, inputs: Tensor) -> Steps:
    """Task inference with hypnettorch 0.0.4, in batches as large as in training; weights are generated once a task."""
    target, hypernetwork = hypnettorch_networks(workload, num_tasks)
    batches = inputs.flatten(1).split(workload.experiment.training.batch_size)
    return repeated(lambda: least_unsure(target, hypernetwork, num_tasks, batches))


@torch.no_grad()
def least_unsure(
    target: Callable[..., Tensor], hypernetwork: Callable[..., Any], num_tasks: int, batches: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Infer label and task of each image from the network whose answer has the least entropy.

    Args:
        target: Takes a batch and `weights`.
        hypernetwork: Gives the weights of task `cond_id`.
        num_tasks: Tasks to ask.
        batches: Flattened images.
    """
    labels, entropies = [], []
    for task in range(num_tasks):
        weights = hypernetwork(cond_id=task)
        of_task = [target(batch, weights=weights).softmax(1) for batch in batches]
        labels.append(torch.cat([probabilities.argmax(1) for probabilities in of_task]))
        entropies.append(torch.cat([torch.special.entr(probabilities).sum(1) for probabilities in of_task]))
    tasks = torch.stack(entropies).argmin(0)
    return torch.stack(labels).gather(0, tasks[None])[0], tasks


INFERENCE: dict[str, Callable[[Workload, int, Tensor], Steps]] = {
    "forward passes": forward_passes,
    "hypermnesia": hypermnesia,
    "hypnettorch": hypnettorch,
}
"""Contenders by name: functions of a workload, a number of tasks and images that return the inference to be timed."""
