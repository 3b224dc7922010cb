"""Several ranks learn as one process does, whatever the method, or say why not."""

import copy
import hashlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hypermnesia as hm
from hypermnesia import parallel
from hypermnesia.errors import ConfigurationError, DivergenceError, HypermnesiaError, RanksError, StopLearning
from tests.methods import CASES, FEATURES, ONE_EACH, OUTPUTS, Case
from tests.nested import snapshot
from tests.ranks import together

TRAINING = {"optimizer": "sgd", "learning_rate": 0.002, "iterations": 20, "batch_size": 7}
"""Seven examples, which neither two ranks nor three share equally."""


def network(*parts: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 5), nn.BatchNorm1d(5), *parts, nn.Tanh(), nn.Linear(5, OUTPUTS))


def tensors(node: Any) -> Iterator[Tensor]:
    if isinstance(node, Tensor):
        yield node.detach()
    elif isinstance(node, (dict, list, tuple)):
        for value in node.values() if isinstance(node, dict) else node:
            yield from tensors(value)


def digest(state: Any) -> str:
    return hashlib.sha256(b"".join(each.contiguous().numpy().tobytes() for each in tensors(state))).hexdigest()


def check_equal_on_all_ranks(learner: hm.ContinualLearner) -> Any:
    """A monitor: after the last step all ranks have the same bits, before anything is taken over from the first."""

    def monitor(progress):
        if progress.iteration == progress.iterations:
            parallel.check_same({"state": digest(learner.state_dict()["parts"])})

    return monitor


@pytest.fixture
def exact(monkeypatch):
    """Double precision; noise that is drawn for a batch is the same whichever rank draws it for which of its rows."""
    draw, like = torch.randn, torch.randn_like

    def rows_alike(*shape, generator=None, **options):
        if generator is not None:
            return draw(*shape, generator=generator, **options)
        return torch.linspace(-1, 1, shape[-1]).expand(shape)

    monkeypatch.setattr(torch, "randn", rows_alike)
    monkeypatch.setattr(torch, "randn_like", lambda x: like(x) if x.ndim == 1 else (1000 * x.detach()).sin())
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    monkeypatch.setattr(torch, "float32", torch.float64)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def doubled(task: hm.Task) -> hm.Task:
    inputs, labels = next(task.train.in_order(100))
    targets = labels.double() if labels.is_floating_point() else labels
    return hm.Task.of((inputs.double(), targets), name=task.name, classes=task.classes)


def learned(case: Case, **training: Any) -> Any:
    learner = case.make(module=network(), training=TRAINING | training)
    for task in case.tasks[:2]:
        learner.learn(doubled(task), monitor=check_equal_on_all_ranks(learner))
    return snapshot(learner.state_dict())


def assert_close(state: Any, expected: Any, tolerance: float = 1e-9) -> None:
    pairs = list(zip(tensors(state), tensors(expected), strict=True))
    assert pairs
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance, equal_nan=True)


@pytest.mark.slow
@pytest.mark.usefixtures("exact", "unchecked")
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_every_method_learns_as_one_process_does(ranks):
    expected = {str(case): learned(case) for case in CASES}
    for states in together(ranks, lambda: {str(case): learned(case) for case in CASES}, seconds=400):
        for name, state in states.items():
            try:
                assert_close(state, expected[name])
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error
