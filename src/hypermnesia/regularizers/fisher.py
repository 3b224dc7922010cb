"""The diagonal of a network's Fisher information: how much each parameter matters to its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from hypermnesia.criteria import USUAL, Criterion, Targets
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.inputs import Inputs
from hypermnesia.regularizers import linear_layers
from hypermnesia.regularizers.generated_network import GeneratedNetwork

FisherKind = Literal["sampled", "exact", "empirical"]

GradientForm = Literal["linear layers", "vectorized", "one by one"]
"""How gradients of single examples are computed. `linear layers`: squared and summed without being formed, where all
parameters belong to such layers, or generate those that do (:class:`GeneratedNetwork`). `vectorized`: by
`torch.func.vmap`. `one by one`: by backward passes, which every module has that can be trained."""

Outputs = Callable[[dict[str, Tensor], Inputs], Tensor]

Hold = Callable[[dict[str, Tensor], Callable[[], Any]], Any]
"""Function that calls another while a network has these parameters by name, and returns its result."""

ValuesOf = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Function of outputs and target of one example that returns values v and weights w, both [values]: what the example
contributes is Σ w (∂v/∂θ)²."""


@torch.no_grad()
def diagonal_fisher(
    outputs: Outputs,
    parameters: Mapping[str, Tensor],
    batches: Iterable[tuple[Inputs, Tensor]],
    kind: FisherKind,
    criterion: Criterion = USUAL["classes"],
    *,
    generator: torch.Generator | None = None,
    chunk_size: int = 32,
    hold: Hold = lambda parameters, action: action(),
) -> dict[str, Tensor]:
    """Compute the mean over all examples x of E_y[(∂ log p(y | x) / ∂θ_i)²], for each parameter θ_i.

    The gradients are those of single examples, not of a batch's mean, in the fastest form that is right for the
    network: see :func:`gradient_form`. The distribution p is that of the criterion: the softmax over classes, or a
    normal distribution of variance one around the outputs. The expectation is over one of these y:

    - `sampled`: one for each example, drawn from the model's own p(y | x). An unbiased estimate of the Fisher
      information; if the model is certain, nearly all samples contribute nothing, and the rare others everything.
    - `exact`: all, each with its probability. The Fisher information itself; as many gradients as there are outputs.
    - `empirical`: the given label alone. The empirical Fisher, which is not the Fisher information of a model that
      fits the labels imperfectly.

    Of labels that are ignored there is no information, of any kind.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017; the kinds after van
    de Ven, On the computation of the Fisher information in continual learning, 2025.

    Args:
        outputs: Function of parameters by name and n inputs that returns outputs [n, outputs], for each example by
            itself and without randomness: a module's dropout and batch normalization are in evaluation mode.
        parameters: Parameters θ by name; taken as constants.
        batches: Pairs of inputs [n, ...] and labels [n, ...], as the criterion places them at these outputs.
        kind: Kind of the expectation: `sampled`, `exact` or `empirical`.
        criterion: What the outputs are learned by.
        generator: CPU generator for `sampled`; None for torch's default one.
        chunk_size: Number of gradients, each as large as θ, that are held at once; at least those of one example.
        hold: Calls a function while the network has other parameters, for those that are computed one by one; by
            default `outputs` is all there is to the network.

    Returns:
        Diagonal of the Fisher information, a tensor for each parameter by name and of its shape.

    Raises:
        ConfigurationError: There is no such kind, or the network has no gradients of single examples.
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
    form: GradientForm | None = None
    for inputs, labels in batches:
        if len(inputs) == 0:
            continue
        count += len(inputs)
        form = form or gradient_form(outputs, theta, inputs, kind, criterion, labels, hold=hold)
        targets = labels.to(inputs.device)
        if kind == "sampled":
            targets = criterion.sample(outputs(theta, inputs), targets, generator)
        values = _values_of(criterion, expected=kind == "exact")
        squares = _in_form(form, outputs, theta, inputs, targets, values, chunk_size, hold)
        if squares is None:  # layers of other batches were used in another way
            squares = _in_form("one by one", outputs, theta, inputs, targets, values, chunk_size, hold)
        for name, square in (squares or {}).items():
            sums[name] += square
    if count == 0:
        raise DataError("there is no example to compute the Fisher information from: give at least one")
    return {name: total / count for name, total in sums.items()}


@torch.no_grad()
def gradient_form(
    outputs: Outputs,
    parameters: Mapping[str, Tensor],
    inputs: Inputs,
    kind: FisherKind,
    criterion: Criterion = USUAL["classes"],
    labels: Targets | None = None,
    *,
    hold: Hold = lambda parameters, action: action(),
) -> GradientForm:
    """Find the fastest form of gradients of single examples that is right for a network, by trying it on two inputs.

    Fast forms do not exist for every layer (recurrent ones, for instance), and may be those of another function where
    a layer keeps something of its own; so they are compared with backward passes.

    Args:
        outputs: Function of parameters by name and n inputs that returns outputs [n, outputs].
        parameters: Parameters θ by name; taken as constants.
        inputs: Inputs `[n, ...]`, of which the first two are used.
        kind: Kind of the expectation.
        criterion: What the outputs are learned by.
        labels: Labels of the inputs; None for class 0 of each.
        hold: Calls a function while the network has other parameters.

    Raises:
        ConfigurationError: The network has no gradients of single examples in any form.

    Example:
        >>> gradient_form(lambda p, x: x * p["w"], {"w": torch.zeros(2)}, torch.ones(2, 1), "exact")
        'vectorized'
    """
    theta = {name: parameter.detach() for name, parameter in parameters.items()}
    inputs = inputs[:2]
    # Any target has a gradient to compare. That of the kind itself may have many, and need not exist in every form.
    some = torch.zeros(len(inputs), dtype=torch.int64) if labels is None else labels[:2]
    some = some.to(inputs.device)
    of_target = _values_of(criterion, expected=False)
    try:
        expected = _one_by_one(outputs, theta, inputs, some, of_target, hold)
    except Exception as error:  # whatever a layer raises
        raise ConfigurationError(
            "the Fisher information needs the gradient of each example by itself, which this network does not give"
            f" ({error}): let it take one example, or choose a method that needs no such gradients, as"
            " SILearner"
        ) from error
    forms: tuple[GradientForm, ...] = ("linear layers", "vectorized")
    for form in forms:
        try:
            found = _in_form(form, outputs, theta, inputs, some, of_target, 32, hold)
            if found is not None and _agree(found, expected):
                if kind == "exact":
                    _in_form(form, outputs, theta, inputs, some, _values_of(criterion, expected=True), 32, hold)
                return form
        except Exception:  # whatever a layer raises, there is a slower form
            continue
    return "one by one"


def _agree(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    """Whether squares are the same but for rounding, in the type in which they are computed."""
    for name, square in expected.items():
        largest = torch.maximum(found[name].abs().max(), square.abs().max()) if square.numel() else square.sum()
        tolerance = max(1e-3, 10 * torch.finfo(square.dtype).eps)
        if not bool((found[name] - square).abs().le(tolerance * largest).all()):
            return False
    return True


def _in_form(
    form: GradientForm,
    outputs: Outputs,
    theta: dict[str, Tensor],
    inputs: Inputs,
    targets: Targets,
    values_of: ValuesOf,
    chunk_size: int,
    hold: Hold,
) -> dict[str, Tensor] | None:
    """Sums of weighted squared gradients of values by name; None where the form has none."""
    match form:
        case "linear layers":

            def values(answers: Tensor) -> tuple[Tensor, Tensor]:
                v, w = torch.func.vmap(values_of)(answers, targets)
                return v, w

            if isinstance(outputs, GeneratedNetwork):
                return outputs.squared_gradients(theta, inputs, values)
            return linear_layers.squared_gradients(outputs, theta, inputs, values)
        case "vectorized":
            chunks = list(_squared_gradients(outputs, theta, inputs, targets, values_of, chunk_size))
            return {name: torch.stack([chunk[name] for chunk in chunks]).sum(0) for name in theta}
        case "one by one":
            return _one_by_one(outputs, theta, inputs, targets, values_of, hold)


def _one_by_one(
    outputs: Outputs,
    theta: dict[str, Tensor],
    inputs: Inputs,
    targets: Targets,
    values_of: ValuesOf,
    hold: Hold,
) -> dict[str, Tensor]:
    """Sums of weighted squared gradients by name, by a backward pass for each example and value."""
    sums = {name: torch.zeros_like(parameter) for name, parameter in theta.items()}
    for number in range(len(inputs)):
        example, target = inputs[number : number + 1], targets[number]
        values, value = 1, 0
        while value < values:
            leaves = {name: parameter.clone().requires_grad_() for name, parameter in theta.items()}

            def weight_of_value(
                leaves: dict[str, Tensor] = leaves, value: int = value, example: Inputs = example, target: Any = target
            ) -> tuple[int, Tensor]:
                v, w = values_of(outputs(leaves, example)[0], target)
                v[value].backward()
                return len(v), w[value].detach()

            # Recurrent layers of cuDNN have no backward pass in evaluation mode.
            with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
                values, weight = hold(leaves, weight_of_value)
            for name, leaf in leaves.items():
                if leaf.grad is not None:
                    sums[name] += weight * leaf.grad.to_dense().square()
            value += 1
    return sums


def _values_of(criterion: Criterion, *, expected: bool) -> ValuesOf:
    """Values and weights of the expectation over all targets, or of the given one."""

    def of_target(outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        likelihood = criterion.log_likelihood(outputs, target)[None]
        return likelihood, torch.ones_like(likelihood)

    return criterion.information if expected else of_target


def _squared_gradients(
    outputs: Outputs,
    theta: dict[str, Tensor],
    inputs: Inputs,
    targets: Targets,
    values_of: ValuesOf,
    chunk_size: int,
) -> Iterable[dict[str, Tensor]]:
    """Sums of weighted squared gradients of values by name, for each chunk of examples."""

    def values(theta: dict[str, Tensor], example: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return values_of(outputs(theta, example[None])[0], target)

    jacobian_of = torch.func.vmap(torch.func.jacrev(values, has_aux=True), in_dims=(None, 0, 0))
    num_values = len(values_of(outputs(theta, inputs[:1])[0], targets[0])[0])
    at_once = max(1, chunk_size // num_values)
    for chunk, of_chunk in zip(inputs.split(at_once), targets.split(at_once), strict=True):
        jacobians, weights = jacobian_of(theta, chunk, of_chunk)
        yield {name: torch.tensordot(weights, j.square(), dims=2) for name, j in jacobians.items()}
