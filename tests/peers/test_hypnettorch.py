"""For the same parameters, this package and hypnettorch 0.0.4 agree: weights, regularizer, gradients."""

import pytest
import torch
from hypnettorch.hnets.chunked_mlp_hnet import ChunkedHMLP
from hypnettorch.hnets.mlp_hnet import HMLP
from hypnettorch.utils.hnet_regularizer import calc_fix_target_reg, get_current_targets
from torch import Tensor

from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout
from hypermnesia.networks import ACTIVATIONS, ActivationName, mlp
from hypermnesia.regularizers import OutputRegularizer
from hypermnesia.seeds import Seeds

Peer = ChunkedHMLP | HMLP
Trunk = tuple[tuple[int, ...], ActivationName]

LAYOUT = ParameterLayout.of(mlp(12, [7], 3))  # 12·7 + 7 + 7·3 + 3 = 115 weights
NUM_TASKS = 4


@pytest.fixture(
    params=[23, 29, 60, 114, None],
    ids=["exact", "surplus of 1", "surplus of 5", "surplus of all but one", "full"],
)
def chunk_size(request: pytest.FixtureRequest) -> int | None:
    return request.param


@pytest.fixture(params=[((6,), "relu"), ((8, 4), "elu"), ((), "tanh")], ids=str)
def trunk(request: pytest.FixtureRequest) -> Trunk:
    return request.param


@pytest.fixture
def ours(chunk_size: int | None, trunk: Trunk) -> Hypernetwork:
    generator = Seeds(0).generator()
    hypernetwork = Hypernetwork(
        LAYOUT,
        embedding_dim=5,
        chunk_embedding_dim=3,
        hidden=trunk[0],
        activation=trunk[1],
        chunk_size=chunk_size,
        generator=generator,
    )
    for _ in range(NUM_TASKS):
        hypernetwork.add_task(generator)
    with torch.no_grad():  # Biases start at zero, where a mistake would not show.
        for parameter in hypernetwork.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return hypernetwork.double()


@pytest.fixture
def theirs(ours: Hypernetwork, trunk: Trunk) -> Peer:
    """The hypernetwork of hypnettorch with the same parameters."""
    shapes = [list(shape) for shape in LAYOUT.shapes]
    settings = {
        "cond_in_size": ours.embedding_dim,
        "layers": trunk[0],
        "activation_fn": ACTIVATIONS[trunk[1]](),
        "num_cond_embs": ours.num_tasks,
        "verbose": False,
    }
    if ours.is_chunked:
        peer = ChunkedHMLP(shapes, ours.chunk_size, ours.chunk_embeddings.shape[1], **settings)
    else:
        peer = HMLP(shapes, **settings)
    peer = peer.double()
    embeddings = dict(zip(peer.conditional_params, ours.task_embeddings, strict=True))
    copy = dict(zip(peer.unconditional_params, in_their_form(ours, dict(ours.named_parameters())), strict=True))
    with torch.no_grad():
        for to, value in (copy | embeddings).items():
            to.copy_(value)
    return peer


def in_their_form(ours: Hypernetwork, theta: dict[str, Tensor]) -> list[Tensor]:
    """Θ_h, or its gradient, in hypnettorch's order: weights and biases by turns, then chunk embeddings."""
    layers = range(len(ours.trunk))
    weights = [*(theta[f"trunk.{i}.weight"] for i in layers), theta["readout"][:-1].T]
    biases = [*(theta[f"trunk.{i}.bias"] for i in layers), theta["readout"][-1]]
    if not ours.is_chunked:
        return [tensor for pair in zip(weights, biases, strict=True) for tensor in pair]
    split = ours.embedding_dim  # The first layer reads [e, c] here and [c, e] there.
    weights[0] = torch.cat([weights[0][:, split:], weights[0][:, :split]], dim=1)
    pairs = [tensor for pair in zip(weights, biases, strict=True) for tensor in pair]
    return [*pairs, theta["chunk_embeddings"]]


def changes(parameters: list[Tensor], seed: int) -> list[Tensor]:
    generator = Seeds(seed).generator()
    return [0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]


def test_generated_weights_agree(ours: Hypernetwork, theirs: Peer) -> None:
    for task in range(NUM_TASKS):
        torch.testing.assert_close([*ours(task).values()], [*theirs(cond_id=task)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", ["gram", "direct"])
@pytest.mark.parametrize("past", [1, NUM_TASKS - 1])
def test_regularizers_agree(ours: Hypernetwork, theirs: Peer, method: str, past: int) -> None:
    """Both are means over the past tasks of squared distances, summed over all of a task's weights."""
    regularizer = OutputRegularizer(ours, range(past), method=method)
    targets = get_current_targets(past, theirs)
    theta = ours.shared_parameters()
    moves = dict(zip(theta, changes([*theta.values()], seed=1), strict=True))
    candidate = {name: (theta[name] + moves[name]).detach().requires_grad_() for name in theta}
    with torch.no_grad():
        for parameter, move in zip(theirs.unconditional_params, in_their_form(ours, moves), strict=True):
            parameter.add_(move)

    value = regularizer(candidate)
    gradients = dict(zip(candidate, torch.autograd.grad(value, [*candidate.values()]), strict=True))
    expected = calc_fix_target_reg(theirs, past, targets=targets)
    expected_gradients = torch.autograd.grad(expected, [*theirs.unconditional_params])

    torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)
    torch.testing.assert_close(in_their_form(ours, gradients), [*expected_gradients], rtol=1e-9, atol=1e-10)


def test_regularizers_agree_at_a_candidate_point(ours: Hypernetwork, theirs: Peer) -> None:
    """ΔΘ_h held constant: theirs is given it as `dTheta`, ours is simply evaluated at Θ_h + ΔΘ_h."""
    past = NUM_TASKS - 1
    regularizer = OutputRegularizer(ours, range(past))
    targets = get_current_targets(past, theirs)
    theta = ours.shared_parameters()
    delta = dict(zip(theta, changes([*theta.values()], seed=2), strict=True))
    candidate = {name: (theta[name] + delta[name]).detach().requires_grad_() for name in theta}

    value = regularizer(candidate)
    gradients = dict(zip(candidate, torch.autograd.grad(value, [*candidate.values()]), strict=True))
    expected = calc_fix_target_reg(theirs, past, targets=targets, dTheta=in_their_form(ours, delta))
    expected_gradients = torch.autograd.grad(expected, [*theirs.unconditional_params])

    torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)
    torch.testing.assert_close(in_their_form(ours, gradients), [*expected_gradients], rtol=1e-9, atol=1e-10)
