"""Files that leave out what a learner was given, and files that hold it: asked of every method."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import CheckpointError
from hypermnesia.learners import ContinualLearner, load
from tests.methods import FEATURES, ONE_EACH, OUTPUTS, Case, answers
from tests.nested import equal


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request) -> Case:
    return request.param


pytestmark = pytest.mark.usefixtures("unchecked")


def with_a_frozen_body(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    body = nn.Linear(FEATURES, 500).requires_grad_(False)
    return nn.Sequential(nn.Flatten(), body, nn.ReLU(), nn.Linear(500, 8), nn.ReLU(), nn.Linear(8, OUTPUTS))


def learned(case: Case, module: nn.Module) -> ContinualLearner:
    learner = case.make(module=module)
    for task in case.tasks[:2]:
        learner.learn(task)
    return learner


def test_a_learner_saved_without_the_modules_values_needs_a_module_that_has_them(case, tmp_path):
    learner = learned(case, with_a_frozen_body())
    whole, without = tmp_path / "whole", tmp_path / "without"
    learner.save(whole)
    learner.save(without, module=False)
    frozen = 4 * 500 * (FEATURES + 1)
    assert whole.stat().st_size - without.stat().st_size > frozen / 2

    loaded = [load(whole, with_a_frozen_body(9)), load(without, with_a_frozen_body())]
    for each in loaded:
        each.recall(case.tasks[:2])
        assert equal(each.state_dict(), learner.state_dict())
        assert equal(answers(each, case.tasks), answers(learner, case.tasks))
    for each in (learner, *loaded):
        each.learn(case.tasks[2])
        assert equal(each.state_dict(), learner.state_dict())

    nearly = with_a_frozen_body()
    with torch.no_grad():
        nearly[1].weight[3, 2] += 1e-6
    for other in (with_a_frozen_body(9), nearly, with_a_frozen_body().to(torch.bfloat16).float()):
        with pytest.raises(
            CheckpointError, match=r"saved without the module's own values.*1\.(weight|bias)'.*module=True"
        ):
            load(without, other)


def test_memory_and_weights_count_nothing_that_was_given(case):
    """Twice as many frozen weights cost nothing."""
    learner, larger = (case.make(module=module) for module in (with_a_frozen_body(), _larger()))
    for each in (learner, larger):
        each.learn(case.tasks[0])
    assert larger.num_weights == learner.num_weights
    assert larger.memory_bytes == learner.memory_bytes
    assert larger.compression == learner.compression


def _larger() -> nn.Module:
    module = with_a_frozen_body()
    module[1] = nn.Sequential(nn.Linear(FEATURES, 500), nn.Linear(500, 500)).requires_grad_(False)
    return module


ELSEWHERE = """
import sys, torch, hypermnesia as hm
from torch import nn
torch.manual_seed(1)
learner = hm.load(sys.argv[1], nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)))
torch.save(learner.predict(torch.linspace(-1, 1, 20).view(5, 4), task=1).outputs, sys.argv[2])
"""


@pytest.mark.parametrize("start", ["module", "zero"])
def test_a_file_answers_the_same_in_another_process_and_another_module(start, tmp_path: Path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
    learner = hm.HypernetworkLearner(module, start=start, hidden=(5,), chunk_size=9, training={"iterations": 20})
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        learner.learn((torch.randn(30, 4, generator=generator), torch.arange(30) % 2))
    learner.save(tmp_path / "learner")
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "learner"), str(tmp_path / "outputs")]
    subprocess.run(command, check=True)
    here = learner.predict(torch.linspace(-1, 1, 20).view(5, 4), task=1).outputs
    assert torch.equal(torch.load(tmp_path / "outputs"), here)
