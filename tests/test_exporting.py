"""Files of what was learned, read by programs that know nothing of learners."""

import pytest
import safetensors.torch
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import CheckpointError, ConfigurationError
from tests.methods import ONE_EACH, network
from tests.zoo import OUTPUTS, ZOO

pytestmark = pytest.mark.usefixtures("unchecked")
BY_NAME = {case.method.name: case for case in ONE_EACH}
UNSHARED = ("separate", "from-scratch")
SHARED = ["hnet", "ewc", "hnet-r", "hnet-likelihood"]
each_case = pytest.mark.parametrize("case", ONE_EACH, ids=str)


def onnx_answers(path, inputs: torch.Tensor, task: int | None = None) -> torch.Tensor:
    import onnxruntime

    given = {"inputs": inputs.numpy(), **({} if task is None else {"task": torch.tensor(task).numpy()})}
    [outputs] = onnxruntime.InferenceSession(path).run(["outputs"], given)
    return torch.from_numpy(outputs)


@pytest.mark.parametrize("name", SHARED)
def test_a_tasks_network_is_traced_for_any_number_of_inputs(name, tmp_path):
    learner, inputs = BY_NAME[name].learned.learner, BY_NAME[name].inputs
    path = tmp_path / "network.pt2"
    hm.export(learner, path, task=1)
    program = torch.export.load(path).module()
    for given in (inputs, inputs[:1]):
        torch.testing.assert_close(program(given), learner.predict(given, 1).outputs)


@each_case
def test_a_state_dict_fits_the_modules_own_class(case, tmp_path):
    learner, inputs = case.learned.learner, case.inputs
    path = tmp_path / "network.safetensors"
    hm.export(learner, path, task=0)
    state = safetensors.torch.load_file(path)
    fresh = network(seed=5)
    fresh[-1] = nn.Linear(fresh[-1].in_features, len(state["5.bias"]))
    fresh.load_state_dict(state)
    assert torch.equal(fresh.eval()(inputs), learner.predict(inputs, 0).outputs)


@pytest.mark.slow
@each_case
def test_onnxruntime_answers_alike(case, tmp_path):
    learner, inputs = case.learned.learner, case.inputs
    path = tmp_path / "network.onnx"
    hm.export(learner, path, task=1)
    for given in (inputs, inputs[:1]):
        torch.testing.assert_close(onnx_answers(path, given), learner.predict(given, 1).outputs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in ONE_EACH if case.method.name not in ("separate", "from-scratch")], ids=str
)
@pytest.mark.parametrize("ending", ["pt2", "onnx"])
def test_all_tasks_in_one_file(case, ending, tmp_path):
    learner, inputs = case.learned.learner, case.inputs
    path = tmp_path / f"learner.{ending}"
    hm.export(learner, path)
    for task in range(len(case.tasks)):
        right = learner.predict(inputs, task).outputs
        if ending == "onnx":
            found = onnx_answers(path, inputs, task)
        else:
            found = torch.export.load(path).module()(inputs, torch.tensor(task))
        torch.testing.assert_close(found[:, : right.shape[1]], right, rtol=1e-4, atol=1e-5)
        assert (found[:, right.shape[1] :] == -torch.inf).all()


@pytest.mark.parametrize("name", UNSHARED)
def test_networks_that_share_nothing_are_exported_one_by_one(name, tmp_path):
    with pytest.raises(ConfigurationError, match=r"a network of its own for each task.*one by one"):
        hm.export(BY_NAME[name].learned.learner, tmp_path / "learner.pt2")
    assert list(tmp_path.iterdir()) == []


def test_nothing_comes_of_a_forgotten_task(tmp_path):
    case = BY_NAME["hnet"]
    learner, inputs = case.make(), case.inputs
    for task in case.tasks[:2]:
        learner.learn(task)
    learner.forget(0)
    hm.export(learner, tmp_path / "learner.pt2")
    program = torch.export.load(tmp_path / "learner.pt2").module()
    assert program(inputs, torch.tensor(0)).isnan().all()
    torch.testing.assert_close(program(inputs, torch.tensor(1)), learner.predict(inputs, 1).outputs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "network"}, r"says no format: end it in \.onnx, \.pt2, \.safetensors"),
        ({"path": "network", "format": "pickle"}, "format must be onnx, torch-export, state-dict, not 'pickle'"),
        ({"path": "all.safetensors", "task": None}, "a state dict is of one task's network"),
        ({"path": "network.pt2", "task": 9}, "there is no task 9"),
        ({"path": "network.pt2", "task": "tsak 0"}, "there is no task 'tsak 0'. Did you mean 'task 0'"),
        ({"path": "network.pt2", "dynamic": (0, 5)}, "dimensions 0 … 1, not 5"),
        ({"path": "no/network.safetensors"}, "there is no folder"),
    ],
    ids=lambda value: value.get("path", "") if isinstance(value, dict) else "",
)
def test_what_cannot_be_written_is_refused(arguments, message, tmp_path):
    given = {"task": 0, **arguments, "path": tmp_path / arguments["path"]}
    with pytest.raises((ConfigurationError, CheckpointError), match=message):
        hm.export(BY_NAME["hnet"].learned.learner, **given)
    assert list(tmp_path.iterdir()) == []


def test_a_learner_of_nothing_has_nothing_to_export(tmp_path):
    with pytest.raises(ConfigurationError, match="learn a task first"):
        hm.export(BY_NAME["ewc"].make(), tmp_path / "learner.pt2")


@pytest.mark.slow
def test_tensors_of_the_module_may_be_called_as_the_files_inputs(tmp_path):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inputs, self.outputs = nn.Parameter(torch.ones(2)), nn.Linear(2, 2)

        def forward(self, inputs):
            return self.outputs(self.inputs * inputs)

    learner = hm.HypernetworkLearner(Named(), chunk_size=4, training={"iterations": 1})
    learner.learn((torch.eye(2), torch.tensor([0, 1])))
    hm.export(learner, tmp_path / "network.onnx", 0)
    torch.testing.assert_close(
        onnx_answers(tmp_path / "network.onnx", torch.eye(2)), learner.predict(torch.eye(2), 0).outputs
    )


def test_a_module_that_cannot_be_traced_is_named(tmp_path):
    class Deciding(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs if inputs.sum() > 0 else -inputs)

    learner = hm.EWCLearner(Deciding(2, 2), training={"iterations": 1})
    learner.learn((torch.eye(2), torch.tensor([0, 1])))
    with pytest.raises(ConfigurationError, match=r"cannot be traced by torch\.export .*learner\.network\(task\)"):
        hm.export(learner, tmp_path / "network.pt2", 0)


@pytest.mark.slow
@pytest.mark.parametrize("specimen", [each for each in ZOO if "all" not in each.refused], ids=str)
def test_modules_of_every_kind_are_exported_or_refused_in_a_sentence(specimen, tmp_path):
    learner = hm.SeparateLearner(specimen.module(), training={"iterations": 2, "batch_size": 6})
    inputs = specimen.inputs()
    learner.learn((inputs, torch.arange(len(inputs)) % OUTPUTS))
    try:
        hm.export(learner, tmp_path / "network.pt2", 0, example=inputs)
    except ConfigurationError as error:
        assert str(error).startswith("the module cannot be traced")
        return
    found = torch.export.load(tmp_path / "network.pt2").module()(inputs)
    right = learner.predict(inputs, 0).outputs
    torch.testing.assert_close(found.to(right.dtype), right, rtol=1e-3, atol=1e-3)
