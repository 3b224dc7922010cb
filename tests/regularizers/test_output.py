"""The output regularizer: the Gram form is the definition, in value and gradients, at any number of tasks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from hypermnesia.errors import ConfigurationError
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout
from hypermnesia.regularizers import OutputRegularizer

LAYOUT = ParameterLayout.of(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)))


def make(chunk_size, hidden, num_tasks, dtype=torch.float64, seed=0, layout=LAYOUT) -> Hypernetwork:
    generator = torch.Generator().manual_seed(seed)
    hypernetwork = Hypernetwork(
        layout,
        embedding_dim=3,
        chunk_embedding_dim=2,
        hidden=hidden,
        activation="elu",
        chunk_size=chunk_size,
        generator=generator,
    ).to(dtype)
    for _ in range(num_tasks):
        hypernetwork.add_task(generator)
    return hypernetwork


def moved(hypernetwork: Hypernetwork, size: float, seed: int = 1) -> dict[str, torch.Tensor]:
    """A candidate at some distance of the hypernetwork's parameters."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (p.detach() + size * torch.randn(p.shape, generator=generator, dtype=p.dtype)).requires_grad_()
        for name, p in hypernetwork.shared_parameters().items()
    }


def by_definition(hypernetwork, candidate, tasks, weights=None) -> torch.Tensor:
    """Generate all weights of each past task twice, and compare; each of a chunk counts as the chunk does."""
    total = 0
    of_chunks = torch.ones(hypernetwork.num_chunks, dtype=torch.float64) if weights is None else weights
    counts = of_chunks.repeat_interleave(hypernetwork.chunk_size)[: hypernetwork.layout.size]
    for task in tasks:
        embedding = hypernetwork.task_embeddings[task].detach()
        own = hypernetwork.shared_parameters()
        before, now = (
            (hypernetwork.features(embedding[None], theta)[0] @ theta["readout"]).flatten()[: hypernetwork.layout.size]
            for theta in (own, candidate)
        )
        total = total + (counts * (now - before.detach()).square()).sum()
    return total / len(tasks)


def drawn_weights(hypernetwork) -> torch.Tensor:
    """What the chunks count: the first nothing, the others from 0 to 1."""
    generator = torch.Generator().manual_seed(5)
    drawn = torch.rand(hypernetwork.num_chunks, generator=generator, dtype=torch.float64)
    return drawn if len(drawn) == 1 else drawn * (torch.arange(len(drawn)) > 0)


shapes = {
    "chunk_size": st.none() | st.integers(1, 31),
    "hidden": st.lists(st.integers(1, 5), max_size=2),
    "num_tasks": st.integers(1, 4),
}


@settings(max_examples=60)
@given(**shapes, size=st.sampled_from([1e-6, 1e-2, 1.0]), weighted=st.booleans())
@pytest.mark.parametrize("method", ["gram", "direct"])
def test_value_and_gradients_equal_the_definition(method, chunk_size, hidden, num_tasks, size, weighted):
    hypernetwork = make(chunk_size, hidden, num_tasks)
    weights = drawn_weights(hypernetwork) if weighted else None
    regularizer = OutputRegularizer(hypernetwork, range(num_tasks), weights=weights, method=method)
    candidate = moved(hypernetwork, size)
    expected = by_definition(hypernetwork, candidate, range(num_tasks), weights)
    expected_gradients = torch.autograd.grad(expected, list(candidate.values()))

    value = regularizer(candidate)
    gradients = torch.autograd.grad(3 * value, list(candidate.values()))
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)
    for gradient, right in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, 3 * right, rtol=1e-6, atol=1e-9 * right.abs().max().item())


@settings(max_examples=40)
@given(**shapes)
@pytest.mark.parametrize("method", ["gram", "direct"])
def test_what_weights_are_a_difference_from_makes_no_difference(method, chunk_size, hidden, num_tasks):
    generator = torch.Generator().manual_seed(7)
    base = LAYOUT.unflatten(torch.randn(LAYOUT.size, generator=generator))
    hypernetwork = Hypernetwork(
        LAYOUT, embedding_dim=3, chunk_embedding_dim=2, hidden=hidden, chunk_size=chunk_size, base=base
    ).double()
    nn.init.normal_(hypernetwork.readout, generator=generator)
    for _ in range(num_tasks):
        hypernetwork.add_task(generator)
    regularizer = OutputRegularizer(hypernetwork, range(num_tasks), method=method)
    candidate = moved(hypernetwork, 0.1)

    def generated(theta, task):
        return LAYOUT.flatten(hypernetwork.generate(hypernetwork.task_embeddings[task], theta))

    expected = sum((generated(candidate, t) - generated(None, t)).square().sum() for t in range(num_tasks)) / num_tasks
    torch.testing.assert_close(regularizer(candidate), expected)


@settings(max_examples=40)
@given(**shapes, some=st.booleans(), weighted=st.booleans())
@pytest.mark.parametrize("method", ["gram", "direct"])
def test_accumulated_gradients_equal_those_of_autograd(method, chunk_size, hidden, num_tasks, some, weighted):
    hypernetwork = make(chunk_size, hidden, num_tasks)
    weights = drawn_weights(hypernetwork) if weighted else None
    regularizer = OutputRegularizer(hypernetwork, range(num_tasks), weights=weights, method=method)
    candidate = moved(hypernetwork, 0.3)
    start = {name: torch.randn_like(p) for name, p in candidate.items()}
    sums = {name: tensor.clone() for name, tensor in start.items()}
    number = num_tasks * hypernetwork.num_chunks
    pairs = torch.randperm(number)[: 1 + number // 2] if some else None
    value = regularizer.accumulate_gradients(candidate, sums, 0.7, pairs)

    again = regularizer(candidate, pairs)
    torch.testing.assert_close(value, again.detach())
    for name, gradient in zip(candidate, torch.autograd.grad(again, list(candidate.values())), strict=True):
        torch.testing.assert_close(sums[name], start[name] + 0.7 * gradient)


def test_float32_gradients_along_real_training_are_as_good_as_the_definition_is():
    """After some hundred steps, against float64: Gram in float32 errs no more than the definition in float32 does."""
    layout = ParameterLayout.of(nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 4)))
    hypernetwork = make(100, [16, 16], 6, torch.float32, layout=layout)
    regularizers = {m: OutputRegularizer(hypernetwork, range(5), method=m) for m in ("gram", "direct")}
    optimizer = torch.optim.Adam([*hypernetwork.shared_parameters().values(), hypernetwork.task_embeddings[5]], lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(64, 20, generator=generator), torch.randint(0, 4, (64,), generator=generator)
    theta = hypernetwork.shared_parameters()
    double = make(100, [16, 16], 6, torch.float64, layout=layout)
    double.load_state_dict(hypernetwork.state_dict())
    oracle = OutputRegularizer(double, range(5), method="direct")

    compared = 0
    for step in range(300):
        optimizer.zero_grad()
        weights = hypernetwork(5)
        hidden = functional.linear(inputs, weights["0.weight"], weights["0.bias"]).relu()
        loss = functional.cross_entropy(functional.linear(hidden, weights["2.weight"], weights["2.bias"]), labels)
        (loss + 0.1 * regularizers["gram"](theta)).backward()
        optimizer.step()
        if step % 60 == 59:
            exact_point = {name: p.detach().double().requires_grad_() for name, p in theta.items()}
            exact = torch.autograd.grad(oracle(exact_point), list(exact_point.values()))
            errors = {}
            for method, regularizer in regularizers.items():
                gradients = torch.autograd.grad(regularizer(theta), list(theta.values()))
                pairs = zip(gradients, exact, strict=True)
                errors[method] = max(((g - e).norm() / e.norm()).item() for g, e in pairs)
            assert errors["gram"] < max(4 * errors["direct"], 5e-5)
            assert errors["gram"] < 1e-3
            compared += 1
    assert compared == 5


@pytest.mark.parametrize("method", ["gram", "direct"])
@pytest.mark.parametrize("of", ["tasks", "pairs"])
@pytest.mark.parametrize("hidden", [[4], []])
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
def test_what_is_estimated_from_some_pairs_is_unbiased(method, of, hidden, weighted):
    """The mean over all choices of two tasks, or of two pairs, is the value over all; and so is that of gradients."""
    hypernetwork = make(12, hidden, 4)
    assert hypernetwork.surplus
    chunks = torch.arange(hypernetwork.num_chunks)
    weights = drawn_weights(hypernetwork) if weighted else None
    regularizer = OutputRegularizer(hypernetwork, range(4), weights=weights, method=method)
    candidate = moved(hypernetwork, 0.3)
    leaves = list(candidate.values())
    whole = regularizer(candidate)
    whole_gradients = torch.autograd.grad(whole, leaves)
    if of == "tasks":
        choices = [(two[:, None] * len(chunks) + chunks).flatten() for two in torch.combinations(torch.arange(4), 2)]
    else:
        choices = list(torch.combinations(torch.arange(4 * len(chunks)), 2))
    values, gradients = [], []
    for pairs in choices:
        value = regularizer(candidate, pairs)
        gradients.append(torch.autograd.grad(value, leaves))
        values.append(value.detach())
    assert len(choices) == 6 or len(choices) > 20
    torch.testing.assert_close(torch.stack(values).mean(), whole.detach())
    for i, right in enumerate(whole_gradients):
        torch.testing.assert_close(torch.stack([g[i] for g in gradients]).mean(0), right)


def test_the_surplus_of_the_last_chunk_does_not_count():
    hypernetwork = make(20, [4], 2)
    assert hypernetwork.surplus > 0
    regularizer = OutputRegularizer(hypernetwork, [0])
    candidate = {name: p.detach().clone() for name, p in hypernetwork.shared_parameters().items()}
    used = hypernetwork.chunk_size - hypernetwork.surplus
    candidate["readout"][:, used:] += 1
    several = regularizer(candidate)  # counts in the first chunk
    single = make(20, [4], 2, layout=ParameterLayout(("w",), ((20 - hypernetwork.surplus,),)))
    assert single.surplus == 0
    assert several > 0
    expected = by_definition(hypernetwork, candidate, [0])
    torch.testing.assert_close(several, expected)


def test_a_gradient_taken_too_late_is_refused_not_wrong():
    hypernetwork = make(9, [4], 2)
    regularizer = OutputRegularizer(hypernetwork, [0])
    first = regularizer(moved(hypernetwork, 0.1))
    regularizer(moved(hypernetwork, 0.2))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        first.backward()


def test_storage_does_not_grow_with_tasks_beyond_features():
    def stored(num_tasks: int) -> int:
        regularizer = OutputRegularizer(make(None, [4], num_tasks), range(num_tasks))
        tensors = [v for v in vars(regularizer).values() if isinstance(v, torch.Tensor)]
        return sum(t.numel() for t in tensors)

    embedding_and_features = 3 + 5  # of one task with one chunk
    assert stored(9) - stored(2) == 7 * embedding_and_features


def test_what_makes_no_sense_is_refused():
    hypernetwork = make(9, [4], 1)
    with pytest.raises(ConfigurationError, match="at least one past task"):
        OutputRegularizer(hypernetwork, [])


@pytest.mark.usefixtures("unchecked")  # by which shapes are refused in tests alone
def test_weights_that_make_no_sense_are_refused():
    hypernetwork = make(9, [4], 1)
    for wrong in (torch.ones(1), torch.full((4,), -1.0), torch.tensor([1.0, 1.0, 1.0, torch.inf]), torch.ones(4, 1)):
        with pytest.raises(ConfigurationError, match="weights must be 4 finite numbers of at least 0"):
            OutputRegularizer(hypernetwork, [0], weights=wrong)
