"""Time of an answer for a single input, beside the networks alone that answer it."""

from __future__ import annotations

import torch

from benchmarks.contenders import learner_after
from benchmarks.timing import Sample, in_turns, repeated, waiting
from benchmarks.workload import Workload

PRESETS = ("split-mnist", "cifar-zenkenet")
TASKS = 12


def answer_times(preset: str, device: torch.device, rounds: int, seconds: float) -> dict[str, Sample]:
    """Seconds for one input: its task known, or inferred; the network of that task, or those of all tasks."""
    workload = Workload(preset, device)
    learner = learner_after(workload, TASKS)
    networks = [learner.network(task) for task in range(TASKS)]
    image = workload.images(1)

    @torch.no_grad()
    def all_networks() -> None:
        for network in networks:
            network(image)

    contenders = {
        "network": repeated(torch.no_grad()(lambda: networks[0](image))),
        "known": repeated(lambda: learner.predict(image, 0)),
        "networks": repeated(all_networks),
        "inferred": repeated(lambda: learner.predict(image)),
    }
    return in_turns(contenders, rounds=rounds, seconds=seconds, wait=waiting(device))
