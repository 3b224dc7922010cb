"""The standard classifier that replay teaches: what it is taught, how it grows, and what it goes back to."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

import hypermnesia.replay.classifier
from hypermnesia.replay import ReplayClassifier, ReplaySettings, ReplayStream, VAESettings
from hypermnesia.seeds import Seeds
from hypermnesia.standard import StandardNetwork
from hypermnesia.tasks import Task
from hypermnesia.tasks.scenario import SCENARIOS, Outputs
from hypermnesia.training import TrainingSettings, checkpoint
from hypermnesia.training.objective import Objective
from tests.nested import equal

HYPERNETWORK = {"embedding_dim": 3, "chunk_embedding_dim": 2, "hidden": (4,), "chunk_size": 30}
MODEL = VAESettings(latent_dim=2, condition_dim=2, hidden=(4,), encoder_hidden=(4,), hypernetwork=HYPERNETWORK)
CLASSES = (2, 4, 3)  # of the tasks; the last is the one being learned
BATCH = 16
INPUTS, LABELS = torch.rand(BATCH, 5, generator=torch.Generator().manual_seed(0)), torch.arange(BATCH) % 3
TASK = Task.of((INPUTS, LABELS))
"""Whichever task ends: only its end counts here."""
COMPETING = {"task": [(0, 2), (2, 6)], "class": [(0, 9), (0, 9)], "domain": [(0, 4), (0, 4)]}
"""Which outputs an input of each past task chooses between while the third task is learned."""


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def classifier(scenario: str = "class", made_of: nn.Module | None = None, **replay) -> ReplayClassifier:
    settings = ReplaySettings(**{"model": MODEL, **replay})
    training = TrainingSettings(batch_size=BATCH)
    standard = StandardNetwork(made_of or module(), scenario, training, Seeds(0))
    return ReplayClassifier(standard, settings, training, Seeds(0))


def after_two_tasks(scenario: str = "class", **replay) -> ReplayClassifier:
    """Its weights are large and random, so that its answers differ."""
    made = classifier(scenario, **replay)
    for classes in CLASSES[:2]:
        made.begin_task(classes, (5,))
        made.end_task(TASK)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.standard.network.parameters():
            parameter += 2 * torch.randn(parameter.shape, generator=generator)
    return made


def amid_the_third(scenario: str = "class", **replay) -> tuple[ReplayClassifier, nn.Module]:
    """And the network as it was before that task, which has moved on since."""
    made = after_two_tasks(scenario, **replay)
    before = copy.deepcopy(made.standard.network).eval()
    made.begin_task(CLASSES[2], (5,))
    with torch.no_grad():
        for parameter in made.standard.network.parameters():
            parameter += 0.1
    return made, before


@pytest.fixture
def replayed(monkeypatch) -> list[ReplayStream]:
    """The streams that are made from here on."""
    made: list[ReplayStream] = []

    class Watched(ReplayStream):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(hypermnesia.replay.classifier, "ReplayStream", Watched)
    return made


@pytest.mark.parametrize("temperature", [2.0, 0.7])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_soft_targets_are_the_old_networks_probabilities_undecided_about_new_classes(scenario, temperature, replayed):
    made, before = amid_the_third(scenario, temperature=temperature)
    made.objectives()
    (stream,) = replayed
    stream.prepare(1)
    expected = torch.zeros(BATCH, len(made.standard.outputs))
    with torch.no_grad():
        old = before(stream.batch().inputs)
        logits = functional.pad(old, (0, len(made.standard.outputs) - old.shape[1]))
    for row, task in enumerate(stream.batch().tasks.tolist()):
        start, end = COMPETING[scenario][task]
        expected[row, start:end] = (logits[row, start:end] / temperature).softmax(0)
    assert stream.batch().tasks.unique().tolist() == [0, 1]
    torch.testing.assert_close(stream.batch().targets, expected)
    assert torch.equal(stream.batch().targets == 0, expected == 0)


def test_where_there_was_a_single_class_replayed_inputs_are_certainly_of_it(replayed):
    made = classifier()
    for classes in (1, 2):
        made.begin_task(classes, (5,))
        made.objectives()
        made.end_task(TASK)
    replayed[0].prepare(0)
    assert torch.equal(replayed[0].batch().targets, torch.tensor([1.0, 0.0, 0.0]).expand(BATCH, -1))


@pytest.mark.parametrize(
    ("scenario", "own"), [("task", [(0, 2), (2, 6)]), ("class", [(0, 2), (2, 6)]), ("domain", [(0, 2), (0, 4)])]
)
def test_hard_targets_are_the_likeliest_class_of_the_task_the_input_was_made_for(scenario, own, replayed):
    made, before = amid_the_third(scenario, temperature=None)
    made.objectives()
    (stream,) = replayed
    stream.prepare(1)
    with torch.no_grad():
        logits = before(stream.batch().inputs)
    likeliest = []
    for row, task in enumerate(stream.batch().tasks.tolist()):
        start, end = own[task]
        likeliest.append(start + int(logits[row, start:end].argmax()))
    assert torch.equal(
        stream.batch().targets, functional.one_hot(torch.tensor(likeliest), len(made.standard.outputs)).float()
    )
    # The task makes a difference: without it other classes would be likelier.
    assert likeliest != logits.argmax(1).tolist()


@pytest.mark.parametrize(("scenario", "starts"), [("task", [0, 2]), ("class", [0, 2]), ("domain", [0, 0])])
def test_hard_targets_are_the_class_that_the_input_was_made_for_where_it_was_made_for_one(scenario, starts, replayed):
    made = after_two_tasks(scenario, temperature=None, model=MODEL.model_copy(update={"prior": "class"}))
    made.begin_task(CLASSES[2], (5,))
    made.objectives()
    (stream,) = replayed
    targets, tasks = [], []
    for iteration in range(3):
        stream.prepare(iteration)
        targets += stream.batch().targets.argmax(1).tolist()
        tasks += stream.batch().tasks.tolist()
    for task, classes in enumerate(CLASSES[:2]):
        of_task = [target for target, its in zip(targets, tasks, strict=True) if its == task]
        assert of_task and of_task == [starts[task] + i % classes for i in range(len(of_task))]


def soft_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -(targets * logits.log_softmax(1)).sum(1).mean()


@pytest.mark.parametrize(
    "settings", [{}, {"weight": 0.2}, {"weight": "equal"}, {"temperature": 3.0}, {"temperature": None}], ids=str
)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_loss_is_a_share_of_each_cross_entropy_that_of_replay_times_the_temperature_squared(
    scenario, settings, replayed
):
    made, _ = amid_the_third(scenario, **settings)
    objective, _ = made.objectives()
    (stream,) = replayed
    weight, temperature = settings.get("weight", 0.5), settings.get("temperature", 2.0) or 1.0
    if weight == "equal":
        weight = 2 / 3  # two tasks of three are past
    objective.prepare(3)
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)

    by_hand = copy.deepcopy(made.standard.network).double()
    logits = by_hand(torch.cat([INPUTS, stream.batch().inputs]).double())
    current, past = logits[:BATCH], logits[BATCH:] / temperature
    start = {"task": 6, "class": 0, "domain": 0}[scenario]
    among = {"task": slice(6, 9), "class": slice(0, 9), "domain": slice(0, 4)}[scenario]
    shift = {"task": 6, "class": 6, "domain": 0}[scenario]
    task_loss = functional.cross_entropy(current[:, among], LABELS + shift - start)
    targets = stream.batch().targets.double()
    if scenario == "task":
        parts = [(stream.batch().tasks == task, slice(*COMPETING["task"][task])) for task in range(2)]
        sums = [len(past[rows]) * soft_cross_entropy(past[rows][:, own], targets[rows][:, own]) for rows, own in parts]
        replay_loss = temperature**2 * sum(sums) / BATCH
    else:
        replay_loss = temperature**2 * soft_cross_entropy(past, targets)
    loss = (1 - weight) * task_loss + weight * replay_loss
    loss.backward()

    scalars = objective.accumulate_gradients([(INPUTS, LABELS)], optimizer)
    for name, expected in (("task_loss", task_loss), ("replay_loss", replay_loss), ("loss", loss)):
        assert scalars[name].item() == pytest.approx(expected.item(), rel=1e-4), name
    accuracy = (current[:, among].argmax(1) == LABELS + shift - start).double().mean()
    assert scalars["accuracy"].item() == pytest.approx(accuracy.item())
    for ours, expected in zip(made.standard.network.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, expected.grad.float(), rtol=1e-3, atol=1e-5)


def test_the_first_task_is_learned_without_replay(replayed):
    made = classifier()
    made.begin_task(3, (5,))
    objective, _ = made.objectives()
    scalars = objective.accumulate_gradients([(INPUTS, LABELS)], torch.optim.SGD(objective.parameters(), lr=0.1))
    assert replayed == []
    made.standard.network.train()
    expected = functional.cross_entropy(made.standard.network(INPUTS), LABELS)
    torch.testing.assert_close(scalars["loss"], expected.detach())
    assert "replay_loss" not in scalars


@pytest.mark.parametrize(("scenario", "outputs"), [("task", [2, 6, 9]), ("class", [2, 6, 9]), ("domain", [2, 4, 4])])
def test_the_head_grows_with_the_classes_and_old_outputs_stay(scenario, outputs):
    made = classifier(scenario)
    for classes, expected in zip(CLASSES, outputs, strict=True):
        before = made.standard.logits(INPUTS)
        made.begin_task(classes, (5,))
        assert made.standard.logits(INPUTS).shape == (BATCH, expected)
        torch.testing.assert_close(made.standard.logits(INPUTS)[:, : before.shape[1]], before)
        made.end_task(TASK)
    assert made.standard.num_tasks == 3


def steps(objective: Objective, number: int = 3) -> None:
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    for iteration in range(number):
        optimizer.zero_grad()
        torch.manual_seed(iteration)  # as the trainer does
        objective.prepare(iteration)
        objective.accumulate_gradients([(INPUTS, LABELS)], optimizer)
        optimizer.step()


def test_answering_changes_nothing_that_is_learned():
    made, _ = amid_the_third()
    made.objectives()
    before = copy.deepcopy(made.standard.network.state_dict())
    made.standard.logits(10 * INPUTS)
    assert equal(dict(made.standard.network.state_dict()), dict(before))
    assert made.standard.network.training


PRIORS = pytest.mark.parametrize("prior", ["standard", "class"])


@PRIORS
def test_an_abandoned_task_leaves_no_trace(prior):
    made = after_two_tasks(model=MODEL.model_copy(update={"prior": prior}))
    before = copy.deepcopy(made.state())
    made.begin_task(CLASSES[2], (5,))
    for objective in made.objectives():
        steps(objective)
    assert not equal(made.state()["standard"]["network"], before["standard"]["network"])
    made.abandon_task()
    assert equal(made.state(), before)
    assert (made.standard.num_tasks, made.standard.outputs) == (2, Outputs("class", CLASSES[:2]))
    assert all(parameter.requires_grad for parameter in made.standard.network.parameters())


def test_what_is_frozen_stays_so_also_when_a_task_is_abandoned():
    made_of = module()
    made_of[0].requires_grad_(False)
    made = classifier(made_of=made_of)
    for classes in CLASSES[:2]:
        made.begin_task(classes, (5,))
        made.end_task(TASK)
    made.begin_task(CLASSES[2], (5,))
    made.abandon_task()
    made.begin_task(CLASSES[2], (5,))
    steps(made.objectives()[0])
    assert torch.equal(made.standard.network.module[0].weight, made_of[0].weight)
    assert not torch.equal(made.standard.network.module[1].weight, made_of[1].weight)


@PRIORS
def test_a_state_amid_a_task_goes_on_elsewhere(prior, tmp_path):
    model = MODEL.model_copy(update={"prior": prior})
    made = after_two_tasks(model=model)
    made.begin_task(CLASSES[2], (5,))
    for objective in made.objectives():
        steps(objective)
    checkpoint.write_state(tmp_path / "state", made.state())
    torch.manual_seed(9)
    elsewhere = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 7))
    other = classifier(made_of=elsewhere, model=model)
    other.load_state(checkpoint.read_state(tmp_path / "state"))
    assert (other.standard.num_tasks, other.standard.outputs) == (2, Outputs("class", CLASSES))
    assert equal(other.state(), made.state())
    for each in (made, other):
        for objective in each.objectives():
            steps(objective)
    assert equal(other.state(), made.state())
    assert torch.equal(other.replay(1, 3), made.replay(1, 3))
    for each in (made, other):
        each.abandon_task()
    assert equal(other.state(), after_two_tasks(model=model).state())


def test_a_state_before_any_task_goes_on_elsewhere():
    made = classifier()
    torch.manual_seed(9)
    other = classifier(made_of=nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 7)))
    other.load_state(made.state())
    assert (other.standard.num_tasks, len(other.standard.outputs)) == (0, 0)
    for each in (made, other):
        each.begin_task(3, (5,))
        steps(each.objectives()[0])
    assert equal(other.state(), made.state())


def test_replay_is_made_of_the_same_noise_each_time_and_of_other_noise_for_each_task():
    made = after_two_tasks()
    first = made.replay(0, 4)
    assert first.shape == (4, 5)
    assert ((first > 0) & (first < 1)).all()
    assert torch.equal(made.replay(0, 4), first)
    assert not torch.equal(made.replay(1, 4), first)
