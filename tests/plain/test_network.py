"""A plain network from task to task: its head grows, the past stays at hand, and a task can be abandoned."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hypermnesia.errors import CheckpointError, ConfigurationError
from hypermnesia.plain import PlainNetwork
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.scenario import SCENARIOS, Outputs
from hypermnesia.training import TrainingSettings, checkpoint
from tests.nested import equal

CLASSES = (2, 4, 3)
OUTPUTS = {"task": (2, 6, 9), "domain": (2, 4, 4), "class": (2, 6, 9)}
INPUTS = torch.rand(7, 5, generator=torch.Generator().manual_seed(0))


def module(seed: int = 0, outputs: int = 1, width: int = 8) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, outputs))


def network(scenario: str = "class", seed: int = 0, **training) -> PlainNetwork:
    return PlainNetwork(module(), scenario, TrainingSettings(**training), Seeds(seed))


def move(plain: PlainNetwork) -> None:
    """Weights and statistics change, as if it had learned."""
    with torch.no_grad():
        for parameter in plain.network.parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(parameter)))
        plain.network.train()
        plain.network(INPUTS)


def after(number: int, scenario: str = "class", **settings) -> PlainNetwork:
    plain = network(scenario, **settings)
    for classes in CLASSES[:number]:
        plain.begin_task(classes)
        move(plain)
        plain.end_task()
    return plain


def snapshot(plain: PlainNetwork) -> dict:
    return copy.deepcopy(plain.state())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_head_grows_and_what_it_said_stays(scenario):
    plain = network(scenario)
    assert (plain.num_tasks, len(plain.outputs)) == (0, 0)
    for number, (classes, outputs) in enumerate(zip(CLASSES, OUTPUTS[scenario], strict=True)):
        before = plain.logits(INPUTS)
        plain.begin_task(classes)
        assert plain.num_tasks == number  # until it is learned
        assert plain.logits(INPUTS).shape == (7, outputs)
        assert plain.num_weights == 5 * 8 + 8 + 2 * 8 + 9 * outputs
        torch.testing.assert_close(plain.logits(INPUTS)[:, : before.shape[1]], before)
        move(plain)
        plain.end_task()
        assert plain.num_tasks == number + 1
    assert plain.outputs == Outputs(scenario, CLASSES)


def test_while_a_task_is_learned_the_network_before_it_answers_as_it_did():
    plain = after(1)
    before = plain.logits(INPUTS)
    plain.begin_task(CLASSES[1])
    move(plain)
    assert torch.equal(plain.logits_before(INPUTS), before)
    assert plain.logits_before(INPUTS).shape == (7, 2)
    assert not torch.allclose(plain.logits(INPUTS)[:, :2], before)
    plain.end_task()
    assert plain.before is None


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_abandoned_task_leaves_no_trace(scenario):
    plain, never = after(2, scenario), after(2, scenario)
    for _ in range(2):
        plain.begin_task(CLASSES[2])
        move(plain)
        assert not equal(snapshot(plain), snapshot(never))
        plain.abandon_task()
        assert equal(snapshot(plain), snapshot(never))
        assert (plain.num_tasks, plain.outputs) == (2, never.outputs)
        assert torch.equal(plain.logits(INPUTS), never.logits(INPUTS))
    # And what comes next starts as it would have.
    for each in (plain, never):
        each.begin_task(CLASSES[2])
    assert equal(snapshot(plain), snapshot(never))


def test_an_abandoned_first_task_leaves_no_trace():
    plain = network()
    before = snapshot(plain)
    plain.begin_task(3)
    move(plain)
    plain.abandon_task()
    assert equal(snapshot(plain), before)
    assert plain.logits(INPUTS).shape == (7, 0)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("amid", [False, True], ids=["between tasks", "amid a task"])
def test_a_state_goes_on_elsewhere_and_is_not_shared(scenario, amid, tmp_path):
    plain = after(2, scenario)
    if amid:
        plain.begin_task(CLASSES[2])
        move(plain)
    checkpoint.write(tmp_path / "state", plain.state())
    for state in (checkpoint.read(tmp_path / "state"), plain.state()):
        other = PlainNetwork(module(seed=9, outputs=4), scenario, TrainingSettings(), Seeds(0))
        other.load_state(state)
        assert equal(snapshot(other), snapshot(plain))
        assert (other.num_tasks, other.outputs) == (plain.num_tasks, plain.outputs)
        assert torch.equal(other.logits(INPUTS), plain.logits(INPUTS))
        kept = snapshot(plain)
        if amid:
            assert torch.equal(other.logits_before(INPUTS), plain.logits_before(INPUTS))
            other.abandon_task()
            assert equal(snapshot(other), snapshot(after(2, scenario)))
        other.begin_task(2)
        move(other)
        assert equal(snapshot(plain), kept)


def test_a_later_state_gives_way_to_an_earlier_one():
    plain, early = after(3), after(1)
    plain.begin_task(5)
    plain.load_state(early.state())
    assert equal(snapshot(plain), snapshot(early))
    assert plain.logits(INPUTS).shape == (7, 2)


def test_a_state_of_another_architecture_is_refused():
    other = PlainNetwork(module(width=9), "class", TrainingSettings(), Seeds(0))
    with pytest.raises(CheckpointError, match=r"'0\.bias' is \[9\] here and \[8\] there; give a module of the same"):
        other.load_state(after(2).state())
    plain = PlainNetwork(
        nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)), "class", TrainingSettings(), Seeds(0)
    )
    with pytest.raises(CheckpointError, match=r"is missing here and \[8\] there"):
        plain.load_state(after(2).state())


def test_new_outputs_depend_on_seed_and_place_only():
    """Not on what was drawn or learned in between, nor on torch's global generator."""

    def new_rows(seed: int, learned: bool) -> torch.Tensor:
        plain = network(seed=seed)
        plain.begin_task(2)
        if learned:
            torch.rand(3)
            move(plain)
        plain.end_task()
        plain.begin_task(3)
        return plain.network.module[3].weight[2:].clone()

    assert torch.equal(new_rows(0, learned=True), new_rows(0, learned=False))
    assert not torch.equal(new_rows(1, learned=False), new_rows(0, learned=False))
    plain = network()
    plain.begin_task(2)
    plain.end_task()
    plain.begin_task(2)
    first, second = plain.network.module[3].weight.detach().split(2)
    assert not torch.equal(first, second)


def test_answers_for_use_are_those_of_evaluation_and_change_nothing():
    plain = after(1)
    plain.network.train()
    before = snapshot(plain)
    found = plain.logits(10 * INPUTS)
    assert equal(snapshot(plain), before)  # the running statistics too
    assert plain.network.training
    assert not found.requires_grad
    reference = copy.deepcopy(plain.network).eval()
    assert torch.equal(found, reference(10 * INPUTS).detach())
    # One by one: no input depends on its neighbors.
    torch.testing.assert_close(torch.cat([plain.logits(row[None]) for row in 10 * INPUTS]), found)


def test_in_lower_precision_answers_are_near_and_still_float32():
    exact, coarse = after(1), after(1, precision="bfloat16")
    assert coarse.logits(INPUTS).dtype == torch.float32
    difference = (coarse.logits(INPUTS) - exact.logits(INPUTS)).abs().max()
    assert 0 < difference < 0.1


def test_what_is_trained_leaves_out_what_is_frozen():
    made_of = module()
    made_of[0].requires_grad_(False)
    plain = PlainNetwork(made_of, "class", TrainingSettings(), Seeds(0))
    plain.begin_task(2)
    names = ["module.1.weight", "module.1.bias", "module.3.weight", "module.3.bias"]
    assert list(plain.trained) == names
    assert plain.trained["module.3.weight"] is plain.network.module[3].weight
    assert plain.num_weights == sum(parameter.numel() for parameter in plain.network.parameters())
    plain.end_task()
    plain.begin_task(1)
    plain.abandon_task()
    assert list(plain.trained) == names


def test_the_module_is_copied_and_needs_a_head():
    made_of = module()
    before = copy.deepcopy(made_of.state_dict())
    plain = PlainNetwork(made_of, "class", TrainingSettings(), Seeds(0))
    plain.begin_task(2)
    move(plain)
    assert equal(dict(made_of.state_dict()), dict(before))
    with pytest.raises(ConfigurationError, match=r"no nn\.Linear that could grow"):
        PlainNetwork(nn.Conv1d(1, 1, 1), "class", TrainingSettings(), Seeds(0))


@given(
    scenario=st.sampled_from(SCENARIOS),
    steps=st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["end", "abandon", "reload"])), max_size=5),
)
def test_whatever_the_order_of_tasks_abandoned_and_reloaded_it_is_that_of_those_learned(scenario, steps):
    plain, reference = network(scenario), network(scenario)
    for classes, what in steps:
        plain.begin_task(classes)
        move(plain)
        if what == "abandon":
            plain.abandon_task()
            continue
        if what == "reload":
            other = network(scenario)
            other.load_state(plain.state())
            plain = other
        plain.end_task()
        reference.begin_task(classes)
        move(reference)
        reference.end_task()
    assert equal(snapshot(plain), snapshot(reference))
    assert plain.outputs == Outputs(scenario, tuple(classes for classes, what in steps if what != "abandon"))
