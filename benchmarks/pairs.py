"""How good the regularizer is that looks at some pairs a step: `python -m benchmarks.pairs [--tasks N]`.

The hypernetwork of `permuted-mnist-100`, after so many tasks and a step of Adam on random losses of one more. A line
for each number of tasks whose pairs with all chunks are looked at, or of as many pairs of all tasks: the error of the
gradient and of the value, relative to those of all pairs, means over twelve draws.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from torch import Tensor

from benchmarks.contenders import learner_after
from benchmarks.workload import Workload
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.regularizers import OutputRegularizer

PRESET = "permuted-mnist-100"
DRAWS = 12


def candidate(hypernetwork: Hypernetwork, rate: float) -> dict[str, Tensor]:
    """Parameters after Adam's first step on losses that are linear in what a new embedding generates."""
    theta = {name: p.detach().clone().requires_grad_() for name, p in hypernetwork.shared_parameters().items()}
    weights = hypernetwork.generate(torch.randn(hypernetwork.embedding_dim), theta)
    loss = torch.stack([(weight * torch.randn_like(weight)).sum() for weight in weights.values()]).sum()
    gradients = torch.autograd.grad(loss, list(theta.values()))
    moved = zip(theta.items(), gradients, strict=True)
    return {name: (p - rate * gradient.sign()).detach().requires_grad_() for (name, p), gradient in moved}


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=40)
    tasks = parser.parse_args().tasks
    torch.manual_seed(0)
    workload = Workload(PRESET, torch.device("cpu"))
    hypernetwork = learner_after(workload, tasks).hypernetwork
    chunks, theta = hypernetwork.num_chunks, candidate(hypernetwork, workload.experiment.training.learning_rate)
    regularizer = OutputRegularizer(hypernetwork, range(tasks))

    def measured(pairs: Tensor | None) -> tuple[float, Tensor]:
        value = regularizer(theta, pairs)
        gradients = torch.autograd.grad(value, list(theta.values()))
        return value.item(), torch.cat([gradient.flatten() for gradient in gradients])

    value, gradient = measured(None)
    print("| pairs | of so many tasks: gradient | value | of all tasks: gradient | value |")
    print("|---:|---:|---:|---:|---:|")
    for number in (2, 5, 10):
        errors = []
        for of_tasks in (True, False):
            found = []
            for _ in range(DRAWS):
                drawn = torch.randperm(tasks)[:number, None] * chunks + torch.arange(chunks)
                pairs = drawn.flatten() if of_tasks else torch.randperm(tasks * chunks)[: number * chunks]
                estimate, direction = measured(pairs)
                found.append((float((direction - gradient).norm() / gradient.norm()), abs(estimate / value - 1)))
            errors += [f"{statistics.mean(column):.3f}" for column in zip(*found, strict=True)]
        print(f"| {number * chunks:,} | {' | '.join(errors)} |", flush=True)


if __name__ == "__main__":
    main()
