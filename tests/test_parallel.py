"""Several ranks learn as one process does, whatever the method, or say why not."""

import contextlib
import copy
import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import hypermnesia as hm
from hypermnesia import parallel
from hypermnesia.errors import ConfigurationError, DivergenceError, RanksError, StopLearning
from tests.methods import CASES, FEATURES, ONE_EACH, OUTPUTS, Case
from tests.nested import snapshot
from tests.ranks import together

TRAINING = {"optimizer": "sgd", "learning_rate": 0.002, "iterations": 20, "batch_size": 7}
"""Seven examples, which neither two ranks nor three share equally."""


class Infinite(torch.utils.data.Dataset):
    """Examples that are not looked at before they are learned."""

    def __init__(self, inputs: Tensor, labels: Tensor):
        self.pairs = list(zip(inputs, labels.tolist(), strict=True))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index: int):
        return self.pairs[index]


class Noisy(nn.Module):
    """A linear map of inputs with dropout, whose masks are kept."""

    masks: ClassVar[list[Tensor]] = []

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(FEATURES, OUTPUTS)

    def forward(self, inputs: Tensor) -> Tensor:
        mask = functional.dropout(torch.ones_like(inputs), training=self.training)
        self.masks.append(mask)
        return self.linear(inputs * mask)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, OUTPUTS))


def tensors(node: Any) -> Iterator[Tensor]:
    if isinstance(node, Tensor):
        yield node.detach()
    elif isinstance(node, dict):
        for key in sorted(node):
            yield from tensors(node[key])
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from tensors(value)


def digest(state: Any) -> str:
    return hashlib.sha256(b"".join(each.contiguous().numpy().tobytes() for each in tensors(state))).hexdigest()


def check_equal_on_all_ranks(learner: hm.ContinualLearner) -> Any:
    """A monitor: after the last step all ranks have the same bits, before anything is taken over from the first."""

    def monitor(progress):
        if progress.iteration == progress.iterations:
            parallel.check_same({"state": digest(learner.state_dict()["parts"])})

    return monitor


@contextlib.contextmanager
def exactly() -> Iterator[None]:
    """Double precision; noise that is drawn for a batch is the same whichever rank draws it for which of its rows."""
    draw, like, single = torch.randn, torch.randn_like, torch.float32

    def rows_alike(*shape, generator=None, **options):
        if generator is not None:
            return draw(*shape, generator=generator, **options)
        return torch.linspace(-1, 1, shape[-1]).expand(shape)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(torch, "randn", rows_alike)
        monkeypatch.setattr(torch, "randn_like", lambda x: like(x) if x.ndim == 1 else (1000 * x.detach()).sin())
        monkeypatch.setattr(Tensor, "float", Tensor.double)
        monkeypatch.setattr(torch, "float32", torch.float64)
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(single)


def doubled(task: hm.Task) -> hm.Task:
    inputs, labels = next(task.train.in_order(100))
    targets = labels.double() if labels.is_floating_point() else labels
    return hm.Task.of((inputs.double(), targets), name=task.name, classes=task.classes)


COMPARED = [*ONE_EACH, *(case for case in CASES if str(case) in ("hnet-numbers", "joint-task-numbers"))]
"""A case of each method, and objectives that regressions alone have."""


def learned(case: Case) -> Any:
    tasks = case.tasks[:2]  # drawn in single precision, whichever process is the first to ask for them
    with exactly():
        learner = case.make(module=network(), training=TRAINING)
        for task in tasks:
            learner.learn(doubled(task), monitor=check_equal_on_all_ranks(learner))
        return snapshot(learner.state_dict())


def all_learned() -> dict[str, Any]:
    return {str(case): learned(case) for case in COMPARED}


def assert_close(state: Any, expected: Any) -> None:
    pairs = list(zip(tensors(state), tensors(expected), strict=True))
    assert pairs
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_every_method_learns_as_one_process_does():
    expected = all_learned()
    for ranks in (1, 2, 3):
        for states in together(ranks, all_learned):
            for name, state in states.items():
                try:
                    assert_close(state, expected[name])
                except AssertionError as error:
                    raise AssertionError(f"{name}, {ranks} ranks: {error}") from error


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_what_two_ranks_were_stopped_amid_is_gone_on_with_by_any_number_of_them(tmp_path):
    def stop(progress):
        if progress.iteration == 7:
            raise StopLearning

    case = next(case for case in COMPARED if case.method.name == "hnet")
    first, second = case.tasks[:2]

    def begin() -> None:
        with exactly():
            learner = case.make(module=network(), training=TRAINING)
            learner.learn(doubled(first))
            with pytest.raises(StopLearning):
                learner.learn(doubled(second), monitor=stop)
            if parallel.rank() == 0:
                learner.save(tmp_path / "learner")

    def go_on() -> Any:
        with exactly():
            learner = case.kind.load(tmp_path / "learner", network())
            assert learner.in_progress == 7
            learner.learn(doubled(second))
            return snapshot(learner.state_dict())

    expected = learned(case)
    together(2, begin)
    for state in (go_on(), *together(3, go_on)):
        assert_close(state, expected)


@pytest.mark.slow
def test_digits_are_learned_as_well_by_two_ranks():
    tasks = hm.tasks.split("digits", classes_per_task=2, num_tasks=3)

    def learn() -> np.ndarray:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 60), nn.ReLU(), nn.Linear(60, 2))
        learner = hm.HypernetworkLearner(net, training={"iterations": 100, "batch_size": 32})
        return hm.learn_sequence(learner, tasks, progress=False)

    alone = learn()
    one, other = together(2, learn)
    np.testing.assert_array_equal(one, other)
    assert alone[-1].mean() > 0.9
    assert one[-1].mean() == pytest.approx(alone[-1].mean(), abs=0.005)


def test_two_ranks_learn_what_one_does_and_say_together_what_cannot_be():
    """All that needs two processes in one call, because these take a while to start."""
    torch.manual_seed(0)
    inputs, labels = torch.randn(9, FEATURES), torch.arange(9) % OUTPUTS
    net = nn.Sequential(nn.Linear(FEATURES, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, OUTPUTS))
    settings = {"chunk_size": 40, "hidden": (4,), "embedding_candidates": 4}
    training = {"optimizer": "sgd", "learning_rate": 0.01, "iterations": 3, "batch_size": 5}

    def learner(module: nn.Module = net, **changes: Any) -> hm.HypernetworkLearner:
        return hm.HypernetworkLearner(module, settings | changes, training=training)

    def learn() -> Any:
        module = copy.deepcopy(net)
        if parallel.rank() > 0:
            nn.init.zeros_(module[0].weight)  # the first rank's module counts
        both = learner(module)
        for _ in range(2):
            both.learn((inputs, labels), monitor=check_equal_on_all_ranks(both))
        return snapshot(both.state_dict())

    def refused() -> list[str]:
        unlike = (inputs[: 9 - parallel.rank()], labels[: 9 - parallel.rank()])
        diverging = torch.where(torch.arange(9)[:, None] == 0, torch.inf, inputs)
        sentences = []
        for kind, made, source in (
            (RanksError, learner(), unlike),
            (ConfigurationError, learner(), (inputs[:1], labels[:1])),
            (ConfigurationError, learner(gradient_through_lookahead=True), (inputs, labels)),
            (DivergenceError, learner(), hm.Task.of(Infinite(diverging, labels))),
        ):
            with pytest.raises(kind) as caught:
                for _ in range(2):
                    made.learn(source)
            sentences.append(str(caught.value))
        return sentences

    def masks() -> list[Tensor]:
        learner(Noisy(), embedding_candidates=1).learn((inputs, labels))
        return Noisy.masks[-3:]

    alone = learn()
    (one, first, its_masks), (other, second, other_masks) = together(2, lambda: (learn(), refused(), masks()))
    for state in (one, other):
        for mine, its in zip(tensors(state), tensors(alone), strict=True):
            torch.testing.assert_close(mine, its, rtol=1e-4, atol=1e-6)
    assert not any(map(torch.equal, (mask[:2] for mask in its_masks), (mask[:2] for mask in other_masks)))
    assert first == second
    assert first[0].startswith("processes that learn together must all be given the same, but the number of examples")
    assert first[1].startswith("a batch of 1 cannot be divided among 2 processes")
    assert "not summed over processes" in first[2]
    assert "example 0, counted from 0, holds nan or infinity" in first[3]
