"""The two gradients of a step, against what autograd makes of the formula written down once more, in float64."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from hypermnesia.protection import HypernetworkSettings, ProtectedNetwork
from hypermnesia.seeds import Seeds
from hypermnesia.training import TrainingSettings

RATE, BETA, PAST = 0.01, 3.0, 2
SMALL = {
    "embedding_dim": 3,
    "chunk_embedding_dim": 2,
    "hidden": (5,),
    "activation": "elu",
    "chunk_size": 4,
    "beta_relative": False,
}
INPUTS = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(6) % 2


def network(**settings) -> ProtectedNetwork:
    """Amid the third task, with Θ_h already away from the snapshot."""
    torch.manual_seed(0)  # for the module's values
    made = ProtectedNetwork(
        nn.Linear(3, 2), HypernetworkSettings(**SMALL, beta=BETA, **settings), TrainingSettings(), Seeds(0)
    )
    made.hypernetwork.double()
    for _ in range(PAST):
        made.begin_task()
        made.end_task()
    made.begin_task()
    move(made)
    return made


def move(network: ProtectedNetwork) -> None:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.hypernetwork.shared_parameters().values():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)


def encoder() -> nn.Linear:
    """What is learned along with the generated weights."""
    torch.manual_seed(0)
    return nn.Linear(4, 3).double()


def task_loss(
    module: nn.Module, other: nn.Module, tensors: dict[str, torch.Tensor], inputs: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    return nn.functional.cross_entropy(functional_call(module, tensors, (other(inputs),)), labels)


def gradients_of_a_step(network: ProtectedNetwork, other: nn.Module, kind: type = torch.optim.SGD):
    """What the objective puts into `.grad`, in the order Θ_h, embedding, others; and what it reports."""

    def loss(tensors, inputs, labels):
        value = task_loss(network.module, other, tensors, inputs, labels)
        return value, {"twice": 2 * value}

    objective = network.objective(loss, dict(other.named_parameters()))
    optimizer = kind(objective.parameters(), lr=RATE)
    objective.prepare(0)
    scalars = objective.accumulate_gradients([(INPUTS, LABELS)], optimizer)
    return [parameter.grad for parameter in objective.parameters()], scalars


def by_hand(network: ProtectedNetwork, other: nn.Module, snapshot: list, step, *, through: bool):
    """L_task and its gradients; the regularizer at Θ_h + step(∂L_task/∂Θ_h) and its gradients by Θ_h alone."""
    hypernetwork = network.hypernetwork
    theta = hypernetwork.shared_parameters()
    embedding = hypernetwork.task_embeddings[PAST]
    loss = task_loss(network.module, other, hypernetwork.generate(embedding), INPUTS, LABELS)
    parameters = [*theta.values(), embedding, *other.parameters()]
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    changes = [step(gradient if through else gradient.detach()) for gradient in gradients[: len(theta)]]
    candidate = {name: p + change for (name, p), change in zip(theta.items(), changes, strict=True)}
    penalty = torch.zeros((), dtype=torch.float64)
    for past in range(PAST):
        now = hypernetwork.generate(hypernetwork.task_embeddings[past], candidate)
        penalty += sum((now[name] - snapshot[past][name]).square().sum() for name in now) / PAST
    of_theta = torch.autograd.grad(BETA * penalty, list(theta.values()))
    expected = [g.detach() for g in gradients]
    for i, gradient in enumerate(of_theta):
        expected[i] = expected[i] + gradient
    return loss.detach(), penalty.detach(), expected


def generated_before(network: ProtectedNetwork) -> list[dict[str, torch.Tensor]]:
    return [{n: w.detach() for n, w in network.tensors_before(task).items()} for task in range(PAST)]


def plain_step(gradient: torch.Tensor) -> torch.Tensor:
    return -RATE * gradient


def adam_step(gradient: torch.Tensor) -> torch.Tensor:
    """The first one: m̂ = g and v̂ = g²."""
    return -RATE * gradient / (gradient.abs() + 1e-8)


@pytest.mark.parametrize("form", ["gram", "direct"])
@pytest.mark.parametrize(
    ("settings", "kind", "step"),
    [
        ({"lookahead": "none"}, torch.optim.SGD, lambda gradient: 0 * gradient),
        ({"lookahead": "sgd"}, torch.optim.Adam, plain_step),
        ({"lookahead": "sgd", "lookahead_rate": 0.5}, torch.optim.Adam, lambda gradient: -0.5 * gradient),
        ({}, torch.optim.SGD, plain_step),
        ({}, torch.optim.Adam, adam_step),
        ({"gradient_through_lookahead": True}, torch.optim.SGD, plain_step),
        ({"gradient_through_lookahead": True, "lookahead": "sgd"}, torch.optim.Adam, plain_step),
    ],
    ids=["none", "sgd", "sgd at a rate", "SGD", "Adam", "through SGD", "through sgd"],
)
def test_both_gradients_equal_the_formula_and_all_but_theta_get_that_of_the_task_loss(settings, kind, step, form):
    protected, other = network(**settings, regularizer=form), encoder()
    through = settings.get("gradient_through_lookahead", False)
    loss, penalty, expected = by_hand(protected, other, generated_before(protected), step, through=through)
    gradients, scalars = gradients_of_a_step(protected, other, kind)
    assert len(gradients) == len(expected)
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(scalars["task_loss"], loss)
    torch.testing.assert_close(scalars["regularizer"], penalty)
    torch.testing.assert_close(scalars["loss"], loss + BETA * penalty)
    torch.testing.assert_close(scalars["twice"], 2 * loss)
    assert not any(scalar.requires_grad for scalar in scalars.values())


@pytest.mark.parametrize("some", [{"max_tasks": 1}, {"max_pairs": 1}], ids=str)
def test_what_the_regularizer_looks_at_is_drawn_anew_for_each_step_and_all_is_drawn(some):
    protected, other = network(**some), encoder()
    number = PAST * (protected.hypernetwork.num_chunks if "max_pairs" in some else 1)
    objective = protected.objective(lambda t, x, y: (task_loss(protected.module, other, t, x, y), {}))
    optimizer = torch.optim.SGD(objective.parameters(), lr=RATE)

    def regularizer(iteration: int) -> float:
        optimizer.zero_grad()
        objective.prepare(iteration)
        return objective.accumulate_gradients([(INPUTS, LABELS)], optimizer)["regularizer"].item()

    values = [regularizer(i) for i in range(12 * number)]
    assert len(set(values)) == number
    assert [regularizer(i) for i in reversed(range(12 * number))] == values[::-1]
    mean = gradients_of_a_step(network(), other)[1]["regularizer"].item()
    assert sum(set(values)) / number == pytest.approx(mean)


def test_without_past_tasks_there_is_nothing_but_the_task_loss():
    protected = ProtectedNetwork(
        nn.Linear(3, 2), HypernetworkSettings(**SMALL, beta=BETA), TrainingSettings(), Seeds(0)
    )
    protected.hypernetwork.double()
    protected.begin_task()
    other = encoder()
    loss = task_loss(protected.module, other, protected.tensors(0), INPUTS, LABELS)
    theta = list(protected.hypernetwork.shared_parameters().values())
    expected = torch.autograd.grad(loss, [*theta, protected.hypernetwork.task_embeddings[0], *other.parameters()])
    gradients, scalars = gradients_of_a_step(protected, other)
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, wanted)
    assert scalars["regularizer"] == 0
