"""The regularizer's gradient and the step of the readout in one pass are equal to one after the other."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import Adam, AdamW, Optimizer

import hypermnesia as hm
from hypermnesia.errors import StopLearning
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout
from hypermnesia.regularizers import OutputRegularizer, blocked_step, lookahead
from hypermnesia.training import Progress, TrainingSettings

STEPS = 4


@pytest.fixture(autouse=True)
def however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked_step, "LEAST_WEIGHTS", 1)


# Two threads wait for each other, while other tests keep the cores busy.
@pytest.fixture(params=[1, pytest.param(2, marks=pytest.mark.slow)], ids=["1 thread", "2 threads"])
def threads(request: pytest.FixtureRequest) -> int:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def learned(
    make: Callable[[list[nn.Parameter]], Optimizer],
    hidden: int,
    size: int,
    chunk_size: int,
    in_one_pass: bool,
    dtype: torch.dtype = torch.float64,
    weighted: bool = False,
) -> tuple[Hypernetwork, Optimizer, list[float]]:
    """A hypernetwork after some steps with gradients that are drawn, its optimizer, and the regularizer's values."""
    generator = torch.Generator().manual_seed(0)
    layout = ParameterLayout(("weight",), ((size,),))
    hypernetwork = Hypernetwork(layout, hidden=(hidden,), chunk_size=chunk_size, generator=generator).to(dtype)
    for _ in range(3):
        hypernetwork.add_task(generator)
    theta = hypernetwork.shared_parameters()
    optimizer = make(list(theta.values()))
    weights = torch.rand(hypernetwork.num_chunks, generator=generator) if weighted else None
    regularizer = OutputRegularizer(hypernetwork, [0, 1], weights=weights)
    values = []
    for number in range(STEPS):
        for parameter in theta.values():
            parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=torch.float64).to(dtype)
        gradients = {name: parameter.grad for name, parameter in theta.items()}
        taken = {n: p for n, p in theta.items() if not in_one_pass or number == 0 or n != "readout"}
        candidate = dict(zip(taken, lookahead(optimizer, only=set(taken.values())), strict=True))
        if "readout" in taken:
            values.append(regularizer.accumulate_gradients(candidate, gradients, 0.7).item())
        else:
            assert regularizer.can_take_step(optimizer)
            values.append(regularizer.take_step(optimizer, candidate, gradients, 0.7).item())
            hypernetwork.readout.grad = None
        optimizer.step()
    return hypernetwork, optimizer, values


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hidden=st.integers(1, 12) | st.sampled_from([40, 63]),
    size=st.integers(1, 40) | st.integers(3_000, 4_000),
    chunks=st.integers(1, 4),
    decay=st.sampled_from([0.0, 0.1]),
    kind=st.sampled_from([Adam, AdamW]),
    weighted=st.booleans(),
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_one_pass_equals_gradient_and_step(
    threads: int,
    dtype: torch.dtype,
    hidden: int,
    size: int,
    chunks: int,
    decay: float,
    kind: type[Adam],
    weighted: bool,
) -> None:
    def make(parameters: list[nn.Parameter]) -> Optimizer:
        return kind(parameters, lr=0.03, weight_decay=decay)

    of_both = [learned(make, hidden, size, max(1, size // chunks), way, dtype, weighted) for way in (True, False)]
    (one, its, values), (other, their, others) = of_both
    exact = {"rtol": 1e-9, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-3, "atol": 1e-4}
    torch.testing.assert_close(values, others, **exact)
    for mine, right in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, right, **exact)
    for mine, right in ((its.state[one.readout], their.state[other.readout]),):
        torch.testing.assert_close(mine, right, **exact)
    assert torch.get_num_threads() == threads


def test_what_is_not_finite_stays_so() -> None:
    def make(parameters: list[nn.Parameter]) -> Optimizer:
        return Adam(parameters, lr=torch.inf)

    hypernetwork, _, values = learned(make, 4, 100, 50, True)
    assert not torch.isfinite(torch.tensor(values)).any() or not torch.isfinite(hypernetwork.readout).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda p: Adam(p, amsgrad=True),
        lambda p: Adam(p, maximize=True),
        lambda p: torch.optim.SGD(p, momentum=0.9, lr=0.1),
        lambda p: torch.optim.NAdam(p),
    ],
    ids=["amsgrad", "maximize", "SGD", "NAdam"],
)
def test_other_optimizers_take_their_own_step(make: Callable[[list[nn.Parameter]], Optimizer]) -> None:
    readout = nn.Parameter(torch.zeros(2, 3))
    optimizer = make([readout])
    readout.grad = torch.ones(2, 3)
    optimizer.step()
    assert not blocked_step.BlockedStep(readout).can_take(optimizer)


def test_without_numba_torch_takes_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    readout = nn.Parameter(torch.zeros(2, 3))
    optimizer = Adam([readout])
    readout.grad = torch.ones(2, 3)
    optimizer.step()
    assert blocked_step.BlockedStep(readout).can_take(optimizer)
    monkeypatch.setattr(blocked_step.importlib.util, "find_spec", lambda name: None)
    assert not blocked_step.BlockedStep(readout).can_take(optimizer)


def blobs(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(60) % 3
    return torch.randn(60, 5, generator=generator) + 3 * torch.eye(5)[labels], labels


def learner(**training: object) -> hm.HypernetworkLearner:
    torch.manual_seed(0)
    made = hm.HypernetworkLearner(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)), seed=1)
    made.training = TrainingSettings(iterations=20, batch_size=16, **training)
    return made


def parameters(learner: hm.HypernetworkLearner, task: int) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in learner.network(task).parameters()])


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each step that was taken in one pass."""
    taken: list[int] = []
    take = OutputRegularizer.take_step

    def counted(self, *arguments):
        taken.append(1)
        return take(self, *arguments)

    monkeypatch.setattr(OutputRegularizer, "take_step", counted)
    return taken


def test_a_learner_takes_all_but_the_first_step_of_later_tasks_so(
    monkeypatch: pytest.MonkeyPatch, passes: list[int]
) -> None:
    one, other = learner(), learner()
    for seed in range(3):
        one.learn(blobs(seed))
    assert len(passes) >= 2 * 19  # and in the rehearsal
    monkeypatch.setattr(blocked_step, "LEAST_WEIGHTS", sys.maxsize)
    for seed in range(3):
        other.learn(blobs(seed))
    for task in range(3):
        torch.testing.assert_close(parameters(one, task), parameters(other, task), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("training", [{"clip_norm": 1.0}, {"precision": "float16"}], ids=str)
def test_where_something_follows_the_gradient_the_optimizer_takes_the_step(
    passes: list[int], training: dict[str, object]
) -> None:
    made = learner(**training)
    made.learn(blobs(0))
    made.learn(blobs(1))
    assert not passes


def test_a_stopped_task_goes_on_bit_for_bit(passes: list[int]) -> None:
    whole, stopped = learner(), learner()
    for each in (whole, stopped):
        each.learn(blobs(0))
    whole.learn(blobs(1))

    def stop(progress: Progress) -> None:
        if progress.iteration == 7:
            raise StopLearning

    with pytest.raises(StopLearning):
        stopped.learn(blobs(1), monitor=stop)
    stopped.learn(blobs(1))
    for task in range(2):
        assert torch.equal(parameters(whole, task), parameters(stopped, task))
    assert passes


def test_two_learners_learn_in_two_threads_as_each_alone(threads: int, passes: list[int]) -> None:
    def all_learned(made: hm.HypernetworkLearner) -> None:
        torch.set_num_threads(threads)
        for seed in range(3):
            made.learn(blobs(seed))

    alone, *both = learner(), learner(), learner()
    all_learned(alone)
    workers = [threading.Thread(target=all_learned, args=[made]) for made in both]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for made in both:
        for task in range(3):
            assert torch.equal(parameters(made, task), parameters(alone, task))
    assert passes


def test_averages_fade_to_zero_not_to_denormal_numbers(threads: int) -> None:
    readout = nn.Parameter(torch.zeros(3, 500))
    optimizer = Adam([readout])
    readout.grad = torch.full((3, 500), 1e-30)
    optimizer.step()
    tiny = torch.finfo(torch.float32).tiny
    step, none = blocked_step.BlockedStep(readout), [torch.zeros(3, 6)]
    state = optimizer.state[readout]
    for average in (state["exp_avg"], state["exp_avg_sq"]):
        average.fill_(1.05 * tiny)
    for _ in range(200):
        step(optimizer, torch.zeros(3, 500), torch.zeros(3, 500), [slice(0, 500)], none)
    assert not state["exp_avg"].any()
    assert not state["exp_avg_sq"].any()


CHILD = """
import sys, torch
from hypermnesia.regularizers.blocked_step import BlockedStep
readout = torch.nn.Parameter(torch.zeros(2, 300_000))
optimizer = torch.optim.Adam([readout])
readout.grad = torch.ones(2, 300_000)
optimizer.step()
step = BlockedStep(readout)
assert step.can_take(optimizer)
step(optimizer, readout.grad, readout.detach().clone(), [slice(0, 300_000)], [torch.zeros(2, 4)])
print(torch.get_num_threads(), optimizer.state[readout]["step"].item(), readout.detach().std().item())
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", ["1", "2"])
@pytest.mark.parametrize("cache", ["kept", "nowhere to keep it"])
def test_a_process_has_as_many_threads_as_before(tmp_path, number: str, cache: str) -> None:
    # Programs that other tests run in this process may have set further ones.
    others = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment = {**others, "OMP_NUM_THREADS": number, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    if cache != "kept":
        (tmp_path / "cache").write_text("a file, no folder")
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[:2] == [number, "2.0"]
