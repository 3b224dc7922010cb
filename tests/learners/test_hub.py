"""Learners go to the hub and come back, by way of its own client and a stand-in for it on this machine."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import constants
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import CheckpointError, ConfigurationError
from tests.hub import serving


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The client as it is, but for where the hub is."""
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        addresses = f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", addresses)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "a-token")
        yield hub


def net(hidden: int = 8) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 2))


@pytest.fixture(scope="module")
def learned():
    torch.manual_seed(0)
    tasks = hm.tasks.split("digits", num_tasks=2)
    learner = hm.FineTuningLearner(net(), training={"iterations": 30}, scenario="task")
    return learner, hm.learn_sequence(learner, tasks, progress=False), tasks


def test_a_learner_comes_back_as_it_was_and_learns_on(hub, learned):
    learner, matrix, tasks = learned
    address = learner.push_to_hub("somebody/digits", accuracies=matrix)
    assert address.startswith(f"{hub.address}/somebody/digits/commit/")
    assert set(hub.repositories["somebody/digits"]) == {"README.md", "learner.safetensors"}
    assert hub.tokens == {"Bearer a-token"} and not hub.private

    for kind in (hm.FineTuningLearner, hm.ContinualLearner):
        again = kind.from_pretrained("somebody/digits", net())
        assert type(again) is hm.FineTuningLearner
        inputs, _ = next(tasks[0].test.in_order(20))
        for task in range(2):
            torch.testing.assert_close(
                again.predict(inputs, task=task).outputs, learner.predict(inputs, task=task).outputs, rtol=0, atol=0
            )
    again.learn(tasks[0])
    assert again.num_tasks == 3


def test_the_page_says_what_was_learned_how_well_and_how_to_load_it(hub, learned):
    learner, matrix, _ = learned
    learner.push_to_hub("somebody/digits", accuracies=matrix, private=True)
    assert hub.private == {"somebody/digits"}
    page = hub.repositories["somebody/digits"]["README.md"].decode()
    head = yaml.safe_load(page.split("---\n")[1])
    assert head["library_name"] == "hypermnesia"
    assert {"continual-learning", "FineTuningLearner"} <= set(head["tags"])
    results = {each["dataset"]["name"]: each["metrics"][0] for each in head["model-index"][0]["results"]}
    assert [each["value"] for each in results.values()] == matrix[-1].tolist()
    assert list(results) == ["digits 0/1", "digits 2/3"]
    assert f"| 1: digits 2/3 | 2, 3 | {100 * matrix[1, 1]:.2f} % | {100 * matrix[1, 1]:.2f} % |" in page

    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names = {"another_task": hm.tasks.split("digits", num_tasks=3)[2], "inputs": torch.zeros(1, 1, 8, 8)}
    exec(code.replace("module = ...", "from tests.learners.test_hub import net; module = net()"), names)
    assert names["learner"].num_tasks == 3


def test_a_page_without_accuracies_makes_none_up(hub, learned):
    learner = learned[0]
    learner.push_to_hub("somebody/digits")
    page = hub.repositories["somebody/digits"]["README.md"].decode()
    assert "| 0: digits 0/1 | 0, 1 |" in page
    assert "model-index" not in page and "right after" not in page
    with pytest.raises(ConfigurationError, match="a row and a column for each of the 2 tasks"):
        learner.push_to_hub("somebody/digits", accuracies=np.ones((3, 3)))


def test_a_function_that_no_file_holds_is_asked_for_on_the_page_and_in_python(hub):
    def loss(outputs, targets):
        return nn.functional.mse_loss(outputs, targets)

    learner = hm.FineTuningLearner(nn.Linear(3, 1), criterion=loss, training={"iterations": 2}, scenario="task")
    learner.learn((torch.rand(8, 3), torch.rand(8, 1)))
    learner.push_to_hub("somebody/numbers")
    page = hub.repositories["somebody/numbers"]["README.md"].decode()
    assert "hm.FineTuningLearner.from_pretrained('somebody/numbers', module, criterion=...)" in page
    with pytest.raises(CheckpointError, match="its criterion is"):
        hm.FineTuningLearner.from_pretrained("somebody/numbers", nn.Linear(3, 1))
    again = hm.FineTuningLearner.from_pretrained("somebody/numbers", nn.Linear(3, 1), criterion=loss)
    assert again.num_tasks == 1


def test_what_cannot_be_is_a_sentence(hub, learned, monkeypatch):
    with pytest.raises(CheckpointError, match="nobody/nothing cannot be read from the hub: "):
        hm.FineTuningLearner.from_pretrained("nobody/nothing", net())
    learned[0].push_to_hub("somebody/digits")
    with pytest.raises(CheckpointError, match="not a EWCLearner"):
        hm.EWCLearner.from_pretrained("somebody/digits", net())
    with pytest.raises(CheckpointError, match=r"learner\.safetensors: "):
        hm.FineTuningLearner.from_pretrained("somebody/digits", net(hidden=9))
    with pytest.raises(CheckpointError, match="no name cannot be pushed"):
        learned[0].push_to_hub("no name")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="somebody/digits cannot be pushed: "):
        learned[0].push_to_hub("somebody/digits")


@pytest.mark.slow
def test_the_guide_runs_as_it_stands(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "hub.md").read_text("utf-8")
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(code, "hub.md", "exec"), names)
    assert set(hub.repositories) == {"somebody/digits"}
    assert names["learner"].num_tasks == 3


def test_without_the_package_the_extra_is_named(learned, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (
        lambda: learned[0].push_to_hub("somebody/digits"),
        lambda: hm.FineTuningLearner.from_pretrained("somebody/digits", net()),
    ):
        with pytest.raises(ConfigurationError, match=r"pip install 'hypermnesia\[hub\]'"):
            call()
