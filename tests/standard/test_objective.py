"""What a standard network learns, against definitions written out in double precision."""

import copy
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from hypermnesia.learners import LwFLearner
from hypermnesia.regularizers import Penalty
from hypermnesia.seeds import Seeds
from hypermnesia.standard import Past, PastBatch, SoftTargets, StandardNetwork, StandardObjective, likeliest_outputs
from hypermnesia.tasks import TensorExamples
from hypermnesia.tasks.scenario import SCENARIOS
from hypermnesia.training import TrainingSettings
from hypermnesia.training.objective import Portion
from tests.stopping import Stopped

CLASSES = (2, 4, 3)  # of the tasks; the last is the one being learned
NUMBER = 12
GENERATOR = torch.Generator().manual_seed(0)
INPUTS, PAST_INPUTS = torch.rand(NUMBER, 5, generator=GENERATOR), torch.rand(NUMBER, 5, generator=GENERATOR)
LABELS, PAST_TASKS = torch.arange(NUMBER) % 3, torch.arange(NUMBER) % 2
COMPETING = {"task": [(0, 2), (2, 6), (6, 9)], "class": [(0, 9)] * 3, "domain": [(0, 4)] * 3}
"""Which outputs an input of each task chooses between."""
OWN = {"task": [(0, 2), (2, 6), (6, 9)], "class": [(0, 2), (2, 6), (6, 9)], "domain": [(0, 2), (0, 4), (0, 3)]}
"""Which outputs are of each task's own classes."""
OLD_OUTPUTS = {"task": 6, "class": 6, "domain": 4}


def network(scenario: str, classes: tuple[int, ...] = CLASSES) -> StandardNetwork:
    """Amid the last task; its weights are large and random, and have moved on since the task was begun."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    standard = StandardNetwork(module, scenario, TrainingSettings(), Seeds(0))
    generator = torch.Generator().manual_seed(1)

    def move() -> None:
        with torch.no_grad():
            for parameter in standard.network.parameters():
                parameter += torch.randn(parameter.shape, generator=generator)

    for number in classes[:-1]:
        standard.begin_task(number)
        move()
        standard.end_task()
    standard.begin_task(classes[-1])
    move()
    return standard


class Given(Past):
    """Inputs of the past that the test chooses; remembers what it was asked."""

    def __init__(self, targets: Tensor):
        self.targets, self.prepared = targets, []

    def prepare(self, iteration: int) -> None:
        self.prepared.append(iteration)

    def batch(self, current: Tensor, portion: Portion) -> PastBatch:
        assert current is INPUTS
        return PastBatch(PAST_INPUTS, self.targets, PAST_TASKS, len(PAST_TASKS))


class Weighted(Penalty):
    """Half a weighted sum of squares, which also remembers the gradient that it found."""

    def accumulate_gradients(self, parameters):
        self.found = {name: parameter.grad.clone() for name, parameter in parameters.items()}
        value = torch.zeros(())
        for place, parameter in enumerate(parameters.values(), 1):
            parameter.grad += place * parameter.detach()
            value = value + place * parameter.detach().square().sum() / 2
        return value


def random_targets(scenario: str) -> Tensor:
    """Probabilities of the outputs that compete for each input of the past."""
    logits = torch.full((NUMBER, COMPETING[scenario][-1][1]), -torch.inf)
    generator = torch.Generator().manual_seed(2)
    for row, task in enumerate(PAST_TASKS.tolist()):
        start, end = COMPETING[scenario][task]
        logits[row, start:end] = 2 * torch.randn(end - start, generator=generator)
    return logits.softmax(1)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Of one input, between its competing outputs."""
    return -(targets * logits.log_softmax(0)).sum()


def by_definition(
    standard: StandardNetwork, targets: Tensor | None, weight: float, temperature: float
) -> tuple[dict[str, float], list[Tensor]]:
    """Value and gradient, input by input in double precision."""
    exact = copy.deepcopy(standard.network).double()
    scenario = standard.outputs.scenario
    start, end = COMPETING[scenario][2]
    first = OWN[scenario][2][0] - start
    losses, right = [], []
    for row, label in zip(exact(INPUTS.double()), LABELS.tolist(), strict=True):
        losses.append(-row[start:end].log_softmax(0)[first + label])
        right.append(float(row[start:end].argmax() == first + label))
    values = {"task_loss": torch.stack(losses).mean()}
    loss = values["task_loss"]
    if targets is not None:
        past = []
        for row, target, task in zip(exact(PAST_INPUTS.double()), targets.double(), PAST_TASKS.tolist(), strict=True):
            among = slice(*COMPETING[scenario][task])
            past.append(cross_entropy(row[among] / temperature, target[among]))
        values["replay_loss"] = temperature**2 * torch.stack(past).mean()
        loss = (1 - weight) * loss + weight * values["replay_loss"]
    values["loss"] = loss
    gradients = torch.autograd.grad(loss, list(exact.parameters()))
    found = {name: value.item() for name, value in values.items()}
    return {**found, "accuracy": sum(right) / NUMBER}, list(gradients)


def step(objective: StandardObjective, iteration: int = 0) -> dict[str, float]:
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    optimizer.zero_grad()
    objective.prepare(iteration)
    scalars = objective.accumulate_gradients([(INPUTS, LABELS)], optimizer)
    assert not any(scalar.requires_grad for scalar in scalars.values())
    return {name: scalar.item() for name, scalar in scalars.items()}


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(
    ("settings", "weight", "temperature"),
    [(None, 0, 1), ({}, 2 / 3, 1), ({"weight": 0.2, "temperature": 3.0}, 0.2, 3), ({"temperature": 0.5}, 2 / 3, 0.5)],
    ids=["nothing else", "equal weights", "a weight and a temperature", "a low temperature"],
)
@pytest.mark.parametrize("penalized", [False, True], ids=["free", "penalized"])
def test_value_and_gradient_are_those_of_the_definition(scenario, settings, weight, temperature, penalized):
    standard = network(scenario)
    targets = None if settings is None else random_targets(scenario)
    past, penalty = None if targets is None else Given(targets), Weighted() if penalized else None
    expected, gradients = by_definition(standard, targets, weight, temperature)
    if penalized:
        weights = [parameter.detach().double() for parameter in standard.network.parameters()]
        expected["penalty"] = sum(place * w.square().sum().item() / 2 for place, w in enumerate(weights, 1))
        expected["loss"] += expected["penalty"]

    objective = StandardObjective(standard, TrainingSettings(), past=past, penalty=penalty, **(settings or {}))
    found = step(objective, iteration=7)
    assert found == pytest.approx(expected, rel=1e-5)
    if past is not None:
        assert past.prepared == [7]
    if penalized:
        # It is shown the gradient of the loss without it, and adds to that.
        for ours, wanted in zip(penalty.found.values(), gradients, strict=True):
            torch.testing.assert_close(ours, wanted.float(), rtol=1e-4, atol=1e-6)
        gradients = [g + place * w for place, (g, w) in enumerate(zip(gradients, weights, strict=True), 1)]
    for parameter, wanted in zip(objective.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, wanted.float(), rtol=1e-4, atol=1e-5)


def test_equal_weight_is_that_of_each_task_and_the_first_task_has_all():
    shares = []
    for number in range(1, 5):
        standard = network("class", (2,) * number)
        targets = torch.full((NUMBER, 2 * number), 1 / (2 * number))
        past = Given(targets)
        past.batch = lambda current, portion, targets=targets: PastBatch(
            PAST_INPUTS, targets, torch.zeros_like(PAST_TASKS), len(PAST_TASKS)
        )
        objective = StandardObjective(standard, TrainingSettings(), past=past)
        labels = LABELS % 2
        scalars = objective.accumulate_gradients([(INPUTS, labels)], torch.optim.SGD(objective.parameters()))
        loss, new, old = (scalars[name].item() for name in ("loss", "task_loss", "replay_loss"))
        shares.append((loss - new) / (old - new))
    assert shares == pytest.approx([0, 1 / 2, 2 / 3, 3 / 4], abs=1e-4)


def test_outputs_of_other_tasks_feel_nothing_where_each_task_has_its_own():
    standard = network("task")
    past = Given(random_targets("task"))
    tasks = torch.zeros_like(PAST_TASKS)
    past.batch = lambda current, portion: PastBatch(PAST_INPUTS, past.targets, tasks, len(tasks))
    objective = StandardObjective(standard, TrainingSettings(), past=past)
    step(objective)
    gradient = standard.network.module[2].bias.grad
    assert (gradient[2:6] == 0).all()  # of the second task, for which no input stands
    assert (gradient[:2] != 0).all() and (gradient[6:] != 0).all()


def test_a_network_that_learns_is_in_training_mode_and_answers_for_use_are_not():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    standard = StandardNetwork(module, "class", TrainingSettings(), Seeds(0))
    standard.begin_task(3)
    objective = StandardObjective(standard, TrainingSettings())
    losses = {step(objective)["loss"] for _ in range(3)}
    assert len(losses) == 3  # chance is at work
    assert torch.equal(standard.logits(INPUTS), standard.logits(INPUTS))
    assert standard.network.training


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_soft_targets_are_old_answers_among_competing_outputs_with_zero_for_new_ones(scenario, temperature):
    standard = network(scenario)
    found = SoftTargets(standard, temperature)(PAST_INPUTS, PAST_TASKS)
    outputs = COMPETING[scenario][-1][1]
    expected = torch.zeros(NUMBER, outputs, dtype=torch.float64)
    old = copy.deepcopy(standard.before).double()(PAST_INPUTS.double()).detach()
    assert old.shape[1] == OLD_OUTPUTS[scenario]
    logits = torch.cat([old, torch.zeros(NUMBER, outputs - old.shape[1])], dim=1)
    for row, task in enumerate(PAST_TASKS.tolist()):
        among = slice(*COMPETING[scenario][task])
        expected[row, among] = (logits[row, among] / temperature).exp()
        expected[row] /= expected[row].sum()
    torch.testing.assert_close(found, expected.float())
    assert torch.equal(found == 0, expected == 0)
    # The network before it, not the one that learns.
    moved = standard.logits(PAST_INPUTS)[:, : old.shape[1]]
    assert (moved - old).abs().max() > 0.5


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_single_old_class_is_certain(scenario):
    standard = network(scenario, (1, 3))
    found = SoftTargets(standard, 2.0)(PAST_INPUTS, torch.zeros_like(PAST_TASKS))
    assert torch.equal(found, functional.one_hot(torch.zeros_like(LABELS), len(standard.outputs)).float())


@pytest.mark.parametrize("surely", [True, False])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_likeliest_output_is_one_of_the_tasks_own_or_of_all_that_compete(scenario, surely):
    standard = network(scenario)
    found = likeliest_outputs(standard, PAST_INPUTS, PAST_TASKS, surely=surely)
    with torch.no_grad():
        old = standard.before(PAST_INPUTS)
    expected = []
    for row, task in zip(old.tolist(), PAST_TASKS.tolist(), strict=True):
        start, end = (OWN if surely else COMPETING)[scenario][task]
        allowed = range(start, min(end, len(row)))
        expected.append(max(allowed, key=row.__getitem__))
    assert found.tolist() == expected
    if scenario != "task":  # there it makes no difference
        assert expected != likeliest_outputs(standard, PAST_INPUTS, PAST_TASKS, surely=not surely).tolist()


@given(
    classes=st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple),
    scenario=st.sampled_from(SCENARIOS),
    temperature=st.floats(0.1, 10),
)
def test_soft_targets_are_probabilities_of_competing_outputs_whatever_the_classes(classes, scenario, temperature):
    standard = network(scenario, classes)
    tasks = torch.arange(NUMBER) % (len(classes) - 1)
    targets = SoftTargets(standard, temperature)(10 * PAST_INPUTS, tasks)
    torch.testing.assert_close(targets.sum(1), torch.ones(NUMBER))
    for row, task in zip(targets, tasks.tolist(), strict=True):
        among = standard.outputs.competing(task)
        assert row[among].sum().item() == pytest.approx(1, rel=1e-5)
    # Learned with them, the loss and its gradient are numbers.
    past = Given(targets)
    past.batch = lambda current, portion: PastBatch(10 * PAST_INPUTS, targets, tasks, len(tasks))
    objective = StandardObjective(standard, TrainingSettings(), past=past, temperature=temperature)
    labels = LABELS % classes[-1]
    scalars = objective.accumulate_gradients([(INPUTS, labels)], torch.optim.SGD(objective.parameters()))
    assert all(torch.isfinite(scalar) for scalar in scalars.values())
    assert all(torch.isfinite(parameter.grad).all() for parameter in objective.parameters())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_learning_without_forgetting_keeps_old_answers_to_the_inputs_of_the_current_task(scenario):
    """Its first steps on a third task, written out: an input stands for each past task in turns."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    settings = {"temperature": 2.0, "weight": "equal"}
    training = {"iterations": 4, "batch_size": 5, "learning_rate": 0.2, "optimizer": "sgd"}
    learner = LwFLearner(module, scenario=scenario, training=training, **settings)
    for classes in CLASSES[:2]:
        learner.learn((5 * PAST_INPUTS, torch.arange(NUMBER) % classes))
    found = []
    with pytest.raises(Stopped):
        learner.learn((INPUTS, LABELS), monitor=lambda progress: stop_after_first(progress, found))
    first = copy.deepcopy(learner.state_dict()["parts"]["network"])
    learner.learn((INPUTS, LABELS), monitor=lambda progress: found.append(progress.scalars))

    # After one step: the loss of the second step is that of these weights.
    old, new = (nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, n)) for n in (OLD_OUTPUTS[scenario], 1))
    new[2] = nn.Linear(8, COMPETING[scenario][-1][1])
    for made, state in ((old, first["before"]), (new, first["network"])):
        made.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()})
        made.double()
    order = list(itertools.islice(batches(learner), 2))[1]
    inputs, labels = INPUTS[order].double(), LABELS[order]
    padding = torch.zeros(5, COMPETING[scenario][-1][1] - OLD_OUTPUTS[scenario])
    answers, kept = new(inputs), torch.cat([old(inputs), padding], dim=1)
    start, end = COMPETING[scenario][2]
    shift = OWN[scenario][2][0] - start
    task_loss = functional.cross_entropy(answers[:, start:end], labels + shift)
    past = []
    for row in range(5):
        among = slice(*COMPETING[scenario][(1 + row) % 2])  # step 1 begins with task 1
        past.append(cross_entropy(answers[row, among] / 2, (kept[row, among] / 2).softmax(0)))
    replay_loss = 4 * torch.stack(past).mean()
    assert found[1]["task_loss"].item() == pytest.approx(task_loss.item(), rel=1e-5)
    assert found[1]["replay_loss"].item() == pytest.approx(replay_loss.item(), rel=1e-5)
    assert found[1]["loss"].item() == pytest.approx((task_loss / 3 + replay_loss * 2 / 3).item(), rel=1e-5)


def stop_after_first(progress, found: list) -> None:
    found.append(progress.scalars)
    raise Stopped


def batches(learner: LwFLearner):
    """Which inputs each step of the third task has."""
    numbered = torch.arange(NUMBER, dtype=torch.float32)[:, None]
    for inputs, _ in TensorExamples(numbered, LABELS).batches(5, learner.seeds.child("task", 2, "batches")):
        yield inputs[:, 0].long()


def test_learning_without_forgetting_leaves_no_task_out_of_batches_smaller_than_the_number_of_tasks():
    """Three past tasks, one input a step: where every step stood for the first task, the others would drift."""
    torch.manual_seed(0)
    learner = LwFLearner(nn.Linear(5, 1), scenario="task", training={"iterations": 3, "batch_size": 1})
    for _ in range(3):
        learner.learn((INPUTS, LABELS % 2))
    moved, before = [], None

    def watch(progress) -> None:
        nonlocal before
        bias = learner.state_dict()["parts"]["network"]["network"]["module.bias"].clone()
        if before is not None:
            moved.append((bias - before)[:6].view(3, 2).abs().sum(1))
        before = bias

    learner.training = learner.training.model_copy(update={"optimizer": "sgd", "learning_rate": 0.5, "iterations": 7})
    learner.learn((5 * INPUTS, LABELS % 2), monitor=watch)
    # In each step the answers of one past task are learned, in turns (the first step is not watched).
    assert [int(step.argmax()) for step in moved] == [1, 2, 0, 1, 2, 0]
    assert all(int((step > 0).sum()) == 1 for step in moved)
