"""The diagonal of a network's Fisher information: how much each parameter matters to its outputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.problems import CLASSIFICATION, REGRESSION, Problem, Targets
from hypermnesia.regularizers import linear_layers

FisherKind = Literal["sampled", "exact", "empirical"]

Outputs = Callable[[dict[str, Tensor], Tensor], Tensor]


@torch.no_grad()
def diagonal_fisher(
    outputs: Outputs,
    parameters: Mapping[str, Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    kind: FisherKind,
    problem: Problem = CLASSIFICATION,
    *,
    generator: torch.Generator | None = None,
    chunk_size: int = 32,
) -> dict[str, Tensor]:
    """Compute the mean over all examples x of E_y[(∂ log p(y | x) / ∂θ_i)²], for each parameter θ_i.

    The gradients are those of single examples, not of a batch's mean; of linear layers they are squared and added up
    without being formed. The distribution p is that of the problem: the softmax over classes, or a normal distribution
    of variance one around the outputs. The expectation is over one of these y:

    - `sampled`: one for each example, drawn from the model's own p(y | x). An unbiased estimate of the Fisher
      information; if the model is certain, nearly all samples contribute nothing, and the rare others everything.
    - `exact`: all, each with its probability. The Fisher information itself; as many gradients as there are outputs.
    - `empirical`: the given label alone. The empirical Fisher, which is not the Fisher information of a model that
      fits the labels imperfectly.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017; the kinds after van
    de Ven, On the computation of the Fisher information in continual learning, 2025.

    Args:
        outputs: Function of parameters by name and n inputs that returns outputs [n, outputs], for each example by
            itself and without randomness: a module's dropout and batch normalization are in evaluation mode.
        parameters: Parameters θ by name; taken as constants.
        batches: Pairs of inputs [n, ...] and labels [n], which are indices of these outputs.
        kind: Kind of the expectation: `sampled`, `exact` or `empirical`.
        problem: Problem that the outputs belong to.
        generator: CPU generator for `sampled`; None for torch's default one.
        chunk_size: Number of gradients, each as large as θ, that are held at once; at least those of one example.

    Returns:
        Diagonal of the Fisher information, a tensor for each parameter by name and of its shape.

    Raises:
        ConfigurationError: There is no such kind.
        DataError: There is no example.

    Example:
        >>> batches = [(torch.ones(1, 1), torch.tensor([0]))]
        >>> diagonal_fisher(lambda p, x: x * p["w"], {"w": torch.zeros(2)}, batches, "exact")["w"]
        tensor([0.2500, 0.2500])
    """
    if kind not in get_args(FisherKind):
        raise ConfigurationError(f"kind must be one of {', '.join(get_args(FisherKind))}, not {kind!r}")
    theta = {name: parameter.detach() for name, parameter in parameters.items()}
    sums = {name: torch.zeros_like(parameter) for name, parameter in theta.items()}
    count = 0
    for inputs, labels in batches:
        if len(inputs) == 0:
            continue
        count += len(inputs)
        targets = _targets(kind, problem, outputs(theta, inputs), labels, generator)
        weighted_values = functools.partial(_weighted_values, problem, targets)
        at_once = linear_layers.squared_gradients(outputs, theta, inputs, weighted_values)
        one_by_one = _squared_gradients(outputs, theta, inputs, targets, problem, chunk_size)
        for squares in one_by_one if at_once is None else [at_once]:
            for name, square in squares.items():
                sums[name] += square
    if count == 0:
        raise DataError("there is no example to compute the Fisher information from: give at least one")
    return {name: total / count for name, total in sums.items()}


def _targets(
    kind: FisherKind, problem: Problem, outputs: Tensor, labels: Tensor, generator: torch.Generator | None
) -> Targets | None:
    """Targets whose likelihood is differentiated, for each example of a batch; None for the expectation over all."""
    if kind == "sampled":
        return problem.sample(outputs, generator)
    if kind == "exact":
        return None
    return labels if problem is REGRESSION else labels.to(torch.int64)


def _weighted_values(problem: Problem, targets: Targets | None, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Values v and weights w of a batch of outputs: Σ w (∂v/∂θ)² is the contribution of an example."""
    if targets is None:
        return problem.information(outputs)
    likelihoods = torch.func.vmap(problem.log_likelihood)(outputs, targets.to(outputs.device))[:, None]
    return likelihoods, torch.ones_like(likelihoods)


def _squared_gradients(
    outputs: Outputs,
    theta: dict[str, Tensor],
    inputs: Tensor,
    targets: Targets | None,
    problem: Problem,
    chunk_size: int,
) -> Iterable[dict[str, Tensor]]:
    """Sums of squared gradients by name, for each chunk of examples: of the given targets, or expected over all."""

    def log_likelihood(theta: dict[str, Tensor], example: Tensor, target: Tensor) -> Tensor:
        return problem.log_likelihood(outputs(theta, example[None])[0], target)

    def information(theta: dict[str, Tensor], example: Tensor) -> tuple[Tensor, Tensor]:
        return problem.information(outputs(theta, example[None])[0])

    if targets is not None:
        gradient_of = torch.func.vmap(torch.func.grad(log_likelihood), in_dims=(None, 0, 0))
        targets = targets.to(inputs.device)
        for chunk, of_chunk in zip(inputs.split(chunk_size), targets.split(chunk_size), strict=True):
            yield {name: g.square_().sum(0) for name, g in gradient_of(theta, chunk, of_chunk).items()}
        return

    jacobian_of = torch.func.vmap(torch.func.jacrev(information, has_aux=True), in_dims=(None, 0))
    num_outputs = outputs(theta, inputs[:1]).shape[1]
    for chunk in inputs.split(max(1, chunk_size // num_outputs)):
        jacobians, weights = jacobian_of(theta, chunk)
        yield {name: torch.tensordot(weights, j.square_(), dims=2) for name, j in jacobians.items()}
