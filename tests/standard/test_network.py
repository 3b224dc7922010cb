"""A standard network from task to task: its head grows, the past stays at hand, and a task can be abandoned."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hypermnesia.errors import CheckpointError, ConfigurationError
from hypermnesia.seeds import Seeds
from hypermnesia.standard import StandardNetwork
from hypermnesia.tasks.scenario import SCENARIOS, Outputs
from hypermnesia.training import TrainingSettings, checkpoint
from tests.nested import equal

CLASSES = (2, 4, 3)
OUTPUTS = {"task": (2, 6, 9), "domain": (2, 4, 4), "class": (2, 6, 9)}
INPUTS = torch.rand(7, 5, generator=torch.Generator().manual_seed(0))


def module(seed: int = 0, outputs: int = 1, width: int = 8) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, outputs))


def network(scenario: str = "class", seed: int = 0, **training) -> StandardNetwork:
    return StandardNetwork(module(), scenario, TrainingSettings(**training), Seeds(seed))


def move(standard: StandardNetwork) -> None:
    """Weights and statistics change, as if it had learned."""
    with torch.no_grad():
        for parameter in standard.network.parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(parameter)))
        standard.network.train()
        standard.network(INPUTS)


def after(number: int, scenario: str = "class", **settings) -> StandardNetwork:
    standard = network(scenario, **settings)
    for classes in CLASSES[:number]:
        standard.begin_task(classes)
        move(standard)
        standard.end_task()
    return standard


def snapshot(standard: StandardNetwork) -> dict:
    return copy.deepcopy(standard.state())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_head_grows_and_what_it_said_stays(scenario):
    standard = network(scenario)
    assert (standard.num_tasks, len(standard.outputs)) == (0, 0)
    for number, (classes, outputs) in enumerate(zip(CLASSES, OUTPUTS[scenario], strict=True)):
        before = standard.logits(INPUTS)
        standard.begin_task(classes)
        assert standard.num_tasks == number  # until it is learned
        assert standard.logits(INPUTS).shape == (7, outputs)
        assert standard.num_weights == 5 * 8 + 8 + 2 * 8 + 9 * outputs
        torch.testing.assert_close(standard.logits(INPUTS)[:, : before.shape[1]], before)
        move(standard)
        standard.end_task()
        assert standard.num_tasks == number + 1
    assert standard.outputs == Outputs(scenario, CLASSES)


def test_while_a_task_is_learned_the_network_before_it_answers_as_it_did():
    standard = after(1)
    before = standard.logits(INPUTS)
    standard.begin_task(CLASSES[1])
    move(standard)
    assert torch.equal(standard.logits_before(INPUTS), before)
    assert standard.logits_before(INPUTS).shape == (7, 2)
    assert not torch.allclose(standard.logits(INPUTS)[:, :2], before)
    standard.end_task()
    assert standard.before is None


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_abandoned_task_leaves_no_trace(scenario):
    standard, never = after(2, scenario), after(2, scenario)
    for _ in range(2):
        standard.begin_task(CLASSES[2])
        move(standard)
        assert not equal(snapshot(standard), snapshot(never))
        standard.abandon_task()
        assert equal(snapshot(standard), snapshot(never))
        assert (standard.num_tasks, standard.outputs) == (2, never.outputs)
        assert torch.equal(standard.logits(INPUTS), never.logits(INPUTS))
    # And what comes next starts as it would have.
    for each in (standard, never):
        each.begin_task(CLASSES[2])
    assert equal(snapshot(standard), snapshot(never))


def test_an_abandoned_first_task_leaves_no_trace():
    standard = network()
    before = snapshot(standard)
    standard.begin_task(3)
    move(standard)
    standard.abandon_task()
    assert equal(snapshot(standard), before)
    assert standard.logits(INPUTS).shape == (7, 0)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("amid", [False, True], ids=["between tasks", "amid a task"])
def test_a_state_goes_on_elsewhere_and_is_not_shared(scenario, amid, tmp_path):
    standard = after(2, scenario)
    if amid:
        standard.begin_task(CLASSES[2])
        move(standard)
    checkpoint.write_state(tmp_path / "state", standard.state())
    for state in (checkpoint.read_state(tmp_path / "state"), standard.state()):
        other = StandardNetwork(module(seed=9, outputs=4), scenario, TrainingSettings(), Seeds(0))
        other.load_state(state)
        assert equal(snapshot(other), snapshot(standard))
        assert (other.num_tasks, other.outputs) == (standard.num_tasks, standard.outputs)
        assert torch.equal(other.logits(INPUTS), standard.logits(INPUTS))
        kept = snapshot(standard)
        if amid:
            assert torch.equal(other.logits_before(INPUTS), standard.logits_before(INPUTS))
            other.abandon_task()
            assert equal(snapshot(other), snapshot(after(2, scenario)))
        other.begin_task(2)
        move(other)
        assert equal(snapshot(standard), kept)


def test_a_later_state_gives_way_to_an_earlier_one():
    standard, early = after(3), after(1)
    standard.begin_task(5)
    standard.load_state(early.state())
    assert equal(snapshot(standard), snapshot(early))
    assert standard.logits(INPUTS).shape == (7, 2)


def test_a_state_of_another_architecture_is_refused():
    other = StandardNetwork(module(width=9), "class", TrainingSettings(), Seeds(0))
    with pytest.raises(CheckpointError, match=r"'0\.bias' is \[9\] here and \[8\] there; give a module of the same"):
        other.load_state(after(2).state())
    standard = StandardNetwork(
        nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)), "class", TrainingSettings(), Seeds(0)
    )
    with pytest.raises(CheckpointError, match=r"is missing here and \[8\] there"):
        standard.load_state(after(2).state())


def test_new_outputs_depend_on_seed_and_place_only():
    """Not on what was drawn or learned in between, nor on torch's global generator."""

    def new_rows(seed: int, learned: bool) -> torch.Tensor:
        standard = network(seed=seed)
        standard.begin_task(2)
        if learned:
            torch.rand(3)
            move(standard)
        standard.end_task()
        standard.begin_task(3)
        return standard.network.module[3].weight[2:].clone()

    assert torch.equal(new_rows(0, learned=True), new_rows(0, learned=False))
    assert not torch.equal(new_rows(1, learned=False), new_rows(0, learned=False))
    standard = network()
    standard.begin_task(2)
    standard.end_task()
    standard.begin_task(2)
    first, second = standard.network.module[3].weight.detach().split(2)
    assert not torch.equal(first, second)


def test_answers_for_use_are_those_of_evaluation_and_change_nothing():
    standard = after(1)
    standard.network.train()
    before = snapshot(standard)
    found = standard.logits(10 * INPUTS)
    assert equal(snapshot(standard), before)  # the running statistics too
    assert standard.network.training
    assert not found.requires_grad
    reference = copy.deepcopy(standard.network).eval()
    assert torch.equal(found, reference(10 * INPUTS).detach())
    # One by one: no input depends on its neighbors.
    torch.testing.assert_close(torch.cat([standard.logits(row[None]) for row in 10 * INPUTS]), found)


def test_in_lower_precision_answers_are_near_and_still_float32():
    exact, coarse = after(1), after(1, precision="bfloat16")
    assert coarse.logits(INPUTS).dtype == torch.float32
    difference = (coarse.logits(INPUTS) - exact.logits(INPUTS)).abs().max()
    assert 0 < difference < 0.1


def test_what_is_trained_leaves_out_what_is_frozen():
    made_of = module()
    made_of[0].requires_grad_(False)
    standard = StandardNetwork(made_of, "class", TrainingSettings(), Seeds(0))
    standard.begin_task(2)
    names = ["module.1.weight", "module.1.bias", "module.3.weight", "module.3.bias"]
    assert list(standard.trained) == names
    assert standard.trained["module.3.weight"] is standard.network.module[3].weight
    assert standard.num_weights == sum(parameter.numel() for parameter in standard.trained.values())
    standard.end_task()
    standard.begin_task(1)
    standard.abandon_task()
    assert list(standard.trained) == names


def test_the_module_is_copied_and_needs_a_head():
    made_of = module()
    before = copy.deepcopy(made_of.state_dict())
    standard = StandardNetwork(made_of, "class", TrainingSettings(), Seeds(0))
    standard.begin_task(2)
    move(standard)
    assert equal(dict(made_of.state_dict()), dict(before))
    with pytest.raises(ConfigurationError, match=r"no nn\.Linear that could grow"):
        StandardNetwork(nn.Bilinear(1, 1, 1), "class", TrainingSettings(), Seeds(0))


@given(
    scenario=st.sampled_from(SCENARIOS),
    steps=st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["end", "abandon", "reload"])), max_size=5),
)
def test_whatever_the_order_of_tasks_abandoned_and_reloaded_it_is_that_of_those_learned(scenario, steps):
    standard, reference = network(scenario), network(scenario)
    for classes, what in steps:
        standard.begin_task(classes)
        move(standard)
        if what == "abandon":
            standard.abandon_task()
            continue
        if what == "reload":
            other = network(scenario)
            other.load_state(standard.state())
            standard = other
        standard.end_task()
        reference.begin_task(classes)
        move(reference)
        reference.end_task()
    assert equal(snapshot(standard), snapshot(reference))
    assert standard.outputs == Outputs(scenario, tuple(classes for classes, what in steps if what != "abandon"))
