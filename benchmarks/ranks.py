"""Time a step that two ranks share, beside one process: `torchrun --standalone --nproc-per-node 2 -m benchmarks.ranks`.

All contenders take turns in the same processes, so that whatever else the machine does disturbs them alike. Where one
process works alone, the other ranks wait.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import time
from collections.abc import Callable

import torch
import torch.distributed as dist

from benchmarks.contenders import learner_after
from benchmarks.timing import Sample
from benchmarks.workload import Workload
from hypermnesia import parallel
from hypermnesia.errors import StopLearning
from hypermnesia.experiments.single_run.environment import threads
from hypermnesia.learners import ContinualLearner
from hypermnesia.training import Progress
from hypermnesia.training.device import keep_freed_memory

PRESETS = ("permuted-mnist-10", "cifar-resnet")
PAST_TASKS = 1


def step_times(preset: str, rounds: int, steps: int) -> dict[str, Sample]:
    """Seconds per step, as the first rank sees them, all measured in the same rounds.

    Args:
        preset: Name of a preset on MNIST or CIFAR.
        rounds: Turns of each contender.
        steps: Steps in a turn, of which the median is taken.
    """
    workload = Workload(preset, torch.device("cpu"))
    ranks = parallel.size()
    with parallel.alone():
        one, half = learner_after(workload, PAST_TASKS), learner_after(workload, PAST_TASKS)
        size = half.training.batch_size // ranks
        half.training = half.training.model_copy(update={"batch_size": size})
    together = learner_after(workload, PAST_TASKS)
    gradient = torch.zeros(sum(p.numel() for p in together._network.hypernetwork.parameters()), requires_grad=True)
    gradient.grad = torch.ones_like(gradient)
    contenders: dict[str, Callable[[], float]] = {
        "one process, 1 thread": lambda: _alone(one, workload, steps, 1),
        f"one process, {ranks} threads": lambda: _alone(one, workload, steps, ranks),
        f"one process, 1 thread, 1/{ranks} of the batch": lambda: _alone(half, workload, steps, 1),
        f"{ranks} ranks, 1 thread each": lambda: _block(together, workload, steps),
        "the sum of the gradient alone": lambda: _exchange(gradient, steps),
    }
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, block in contenders.items():
            dist.barrier()
            seconds = block()
            if number:  # the first turn allocates
                taken[name].append(seconds)
    return {name: Sample(tuple(seconds)) for name, seconds in taken.items()}


def _alone(learner: ContinualLearner, workload: Workload, steps: int, number: int) -> float:
    if parallel.rank() > 0:
        return 0.0
    with parallel.alone(), threads(number):
        return _block(learner, workload, steps)


def _block(learner: ContinualLearner, workload: Workload, steps: int) -> float:
    """Median seconds of some steps; learning goes on in the next block."""
    moments: list[float] = []

    def monitor(progress: Progress) -> None:
        moments.append(time.perf_counter())
        if len(moments) > steps:
            raise StopLearning

    with contextlib.suppress(StopLearning):
        learner.learn(workload.task, monitor=monitor)
    return _median(moments)


def _exchange(gradient: torch.Tensor, steps: int) -> float:
    moments = [time.perf_counter()]
    for _ in range(steps):
        parallel.sum_gradients([gradient], {})
        moments.append(time.perf_counter())
    return _median(moments)


def _median(moments: list[float]) -> float:
    return Sample(tuple(later - earlier for earlier, later in itertools.pairwise(moments))).median


def main() -> None:
    """Measure both presets and print a line for each contender."""
    parser = argparse.ArgumentParser(prog="benchmarks.ranks", description=__doc__)
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--rounds", type=int, default=7, help="turns of every contender")
    parser.add_argument("--steps", type=int, default=10, help="steps in a turn")
    options = parser.parse_args()
    keep_freed_memory(torch.device("cpu"))
    with parallel.joined(), threads(1):
        for preset in options.presets:
            samples = step_times(preset, options.rounds, options.steps)
            first, *_ = samples.values()
            for name, sample in samples.items() if parallel.rank() == 0 else ():
                print(f"{preset}: {name}: {sample.show(1e-3)} ms, {sample.per(first).show(digits=2)} of the first")


if __name__ == "__main__":
    main()
