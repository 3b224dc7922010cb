"""The diagonal of a classifier's Fisher information: how much each parameter matters to what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hypermnesia.errors import ConfigurationError, DataError

FisherKind = Literal["sampled", "exact", "empirical"]

Logits = Callable[[dict[str, Tensor], Tensor], Tensor]


@torch.no_grad()
def diagonal_fisher(
    logits: Logits,
    parameters: Mapping[str, Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    kind: FisherKind,
    *,
    generator: torch.Generator | None = None,
    chunk_size: int = 32,
) -> dict[str, Tensor]:
    """The mean over all examples x of E_y[(∂ log p(y | x) / ∂θ_i)²], of each parameter θ_i.

    The gradients are those of single examples, not of a batch's mean. Which classes y the expectation is over:

    - `sampled`: one an example, drawn from the model's own p(y | x). An unbiased estimate of the Fisher information.
    - `exact`: all, each with its probability. The Fisher information itself; as many gradients as there are classes.
    - `empirical`: the given label alone. The empirical Fisher, which is not the Fisher information of a model that
      fits the labels imperfectly.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017; the kinds after van
    de Ven, On the computation of the Fisher information in continual learning, 2025.

    Args:
        logits: Gives [n, classes] for parameters by name and n inputs. Each example on its own, and nothing random:
            a module's dropout and batch normalization are in evaluation mode.
        parameters: θ by name; taken as constants.
        batches: Pairs of inputs [n, ...] and labels [n], which count among these logits.
        kind: `sampled`, `exact` or `empirical`.
        generator: A CPU generator for `sampled`; None for torch's default one.
        chunk_size: How many gradients, each as large as θ, are held at once; at least those of one example.

    Returns:
        A tensor for each parameter, by name and of its shape.

    Raises:
        ConfigurationError: If there is no such kind.
        DataError: If there is no example.

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
        classes = labels if kind == "empirical" else None
        if kind == "sampled":
            classes = _drawn(logits(theta, inputs), generator)
        for squares in _squared_gradients(logits, theta, inputs, classes, chunk_size):
            for name, square in squares.items():
                sums[name] += square
    if count == 0:
        raise DataError("there is no example to compute the Fisher information from: give at least one")
    return {name: total / count for name, total in sums.items()}


def _drawn(logits: Float[Tensor, "n classes"], generator: torch.Generator | None) -> Int[Tensor, " n"]:
    """A class for each example, from its softmax."""
    # On the CPU, so that every device draws the same; for a whole batch, so that chunks do not matter.
    probabilities = logits.softmax(-1).cpu()
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0].to(logits.device)


def _squared_gradients(
    logits: Logits, theta: dict[str, Tensor], inputs: Tensor, classes: Int[Tensor, " n"] | None, chunk_size: int
) -> Iterable[dict[str, Tensor]]:
    """By name, for each chunk of examples: sums of squared gradients, of the given classes or expected over all."""

    def log_probabilities(theta: dict[str, Tensor], example: Tensor) -> tuple[Tensor, Tensor]:
        log_p = logits(theta, example[None])[0].log_softmax(-1)
        return log_p, log_p

    def log_probability(theta: dict[str, Tensor], example: Tensor, label: Tensor) -> Tensor:
        return log_probabilities(theta, example)[0].gather(0, label[None])[0]

    if classes is not None:
        gradient_of = torch.func.vmap(torch.func.grad(log_probability), in_dims=(None, 0, 0))
        labels = classes.to(inputs.device, torch.int64)
        for chunk, of_chunk in zip(inputs.split(chunk_size), labels.split(chunk_size), strict=True):
            yield {name: g.square_().sum(0) for name, g in gradient_of(theta, chunk, of_chunk).items()}
        return

    jacobian_of = torch.func.vmap(torch.func.jacrev(log_probabilities, has_aux=True), in_dims=(None, 0))
    num_classes = logits(theta, inputs[:1]).shape[1]
    for chunk in inputs.split(max(1, chunk_size // num_classes)):
        jacobians, log_p = jacobian_of(theta, chunk)
        yield {name: torch.tensordot(log_p.exp(), j.square_(), dims=2) for name, j in jacobians.items()}
