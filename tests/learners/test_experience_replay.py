"""The buffer of experience replay: how much it holds, of what, and what is learned from it."""

import pytest
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, TensorDataset

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners import ExperienceReplayLearner, FineTuningLearner
from hypermnesia.tasks import Task
from tests.nested import equal

CLASSES = (2, 3, 2, 1)
SHORT = {"iterations": 3, "batch_size": 16}


def make(module, buffer_size: int, **settings) -> ExperienceReplayLearner:
    training = {**SHORT, **settings.pop("training", {})}
    return ExperienceReplayLearner(module(), buffer_size=buffer_size, training=training, **settings)


def buffer(learner: ExperienceReplayLearner) -> list[list[torch.Tensor]]:
    return learner.state_dict()["parts"]["buffer"]["kept"]


def rows(inputs: torch.Tensor) -> set[tuple[float, ...]]:
    return {tuple(row) for row in inputs.tolist()}


class Pairs(Dataset):
    """Neither tensors nor a loader."""

    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor):
        self.pairs = list(zip(inputs, labels.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int):
        return self.pairs[index]


def in_form(form: str, inputs: torch.Tensor, labels: torch.Tensor) -> Task:
    match form:
        case "tensors":
            return Task.of((inputs, labels))
        case "dataset":
            return Task.of(Pairs(inputs, labels))
        case "loader":
            # Smaller batches than a share, sorted by class.
            order = labels.argsort(stable=True)
            return Task.of(DataLoader(TensorDataset(inputs[order], labels[order]), batch_size=4))
        case "loader of some":
            return Task.of(DataLoader(TensorDataset(inputs, labels), batch_size=7, shuffle=True, drop_last=True))


@pytest.mark.parametrize("form", ["tensors", "dataset", "loader", "loader of some"])
@pytest.mark.parametrize("size", [7, 40, 100])
def test_the_buffer_holds_equal_shares_of_all_tasks_with_their_labels_and_never_more(size, form, examples, module):
    learner = make(module, size)
    held = []
    for number, classes in enumerate(CLASSES):
        learner.learn(in_form(form, *examples(number, classes)))
        share = min(size // (number + 1), 56 if form == "loader of some" else 60)
        assert [len(labels) for _, labels in buffer(learner)] == [share] * (number + 1)
        assert sum(len(inputs) for inputs, _ in buffer(learner)) <= size
        for task, (inputs, labels) in enumerate(buffer(learner)):
            pairs = zip(*(part.tolist() for part in examples(task, CLASSES[task])), strict=True)
            known = {tuple(row): label for row, label in pairs}
            assert len(rows(inputs)) == len(inputs)  # none twice
            for row, label in zip(inputs.tolist(), labels.tolist(), strict=True):
                assert known[tuple(row)] == label  # of that task, and its own label
        for (inputs, _), earlier in zip(buffer(learner), held, strict=False):
            assert rows(inputs) <= earlier  # only dropped, never exchanged: old data are gone
        held = [rows(inputs) for inputs, _ in buffer(learner)]


@pytest.mark.parametrize("form", ["tensors", "dataset", "loader"])
def test_what_is_kept_is_drawn_at_random(form, examples, module):
    """Neither the first examples nor one class only, also of a loader that gives class after class."""
    kept = []
    for seed in range(2):
        learner = make(module, 30, seed=seed)
        learner.learn(in_form(form, *examples(0)))
        ((inputs, labels),) = buffer(learner)
        assert 5 <= int(labels.sum()) <= 25  # of 30, half of them expected
        # After another task half of it is left, in which there are both classes again.
        learner.learn(in_form(form, *examples(1)))
        assert 2 <= int(buffer(learner)[0][1].sum()) <= 13
        kept.append(rows(inputs))
    assert kept[0] != kept[1]


def test_a_small_task_is_kept_whole(examples, module):
    learner = make(module, 40)
    inputs, labels = examples(0)
    learner.learn((inputs[:6], labels[:6]))
    learner.learn(examples(1))
    assert [len(labels) for _, labels in buffer(learner)] == [6, 20]
    assert rows(buffer(learner)[0][0]) == rows(inputs[:6])


def test_gray_levels_are_kept_as_they_are_learned(examples, module):
    learner = make(module, 5)
    inputs, labels = examples(0)
    learner.learn(((255 * inputs).byte(), labels))
    ((kept, _),) = buffer(learner)
    assert kept.dtype == torch.float32 and kept.min() >= 0 and kept.max() <= 1
    assert rows(kept) <= rows((255 * inputs).byte().float() / 255)


def test_memory_is_that_of_weights_and_buffer(examples, module):
    learner, without = make(module, 40), FineTuningLearner(module(), training=SHORT)
    for number, kept in enumerate((40, 40, 39)):  # three times thirteen
        for each in (learner, without):
            each.learn(examples(number))
        assert learner.memory_bytes - without.memory_bytes == kept * (28 * 4 + 8)


def test_the_buffer_keeps_no_more_alive_than_it_holds(examples, module):
    """Shares are copies, not views of what was kept before."""
    learner = make(module, 40)
    for number in range(3):
        learner.learn(examples(number))
    for kept in buffer(learner):
        assert all(part.untyped_storage().nbytes() == part.numel() * part.element_size() for part in kept)


def test_more_tasks_than_the_buffer_has_room_for_are_refused_and_change_nothing(examples, module):
    learner = make(module, 2)
    for number in range(2):
        learner.learn(examples(number))
    before = learner.state_dict()
    with pytest.raises(ConfigurationError, match=r"buffer of 2 examples .* each of 3 tasks: raise buffer_size"):
        learner.learn(examples(2))
    assert learner.in_progress is None
    assert equal(learner.state_dict(), before)


@pytest.mark.parametrize(("scenario", "shift"), [("task", 2), ("domain", 0), ("class", 2)])
@pytest.mark.parametrize("weight", [0.3, "equal"])
def test_the_loss_is_a_share_of_that_on_stored_examples_with_their_own_classes(
    scenario, shift, weight, examples, module
):
    """Of a single stored example of the second task, so that there is nothing to choose, and without moving."""
    training = {"iterations": 1, "optimizer": "sgd", "learning_rate": 1e-30}
    learner = make(module, 3, scenario=scenario, weight=weight, training=training)
    for number in range(2):
        learner.learn(examples(number))
    state, found = learner.state_dict(), {}
    (none, no_labels), (stored, label) = state["parts"]["buffer"]["kept"]
    only = [[none[:0], no_labels[:0]], [stored, label]]
    learner.load_state_dict({**state, "parts": {**state["parts"], "buffer": {"kept": only}}})
    inputs, labels = (part[:2] for part in examples(2))
    learner.learn((inputs, labels), monitor=lambda progress: found.update(progress.scalars))

    network = module(outputs=2 + 2 * shift)
    learned = learner.state_dict()["parts"]["network"]["network"]
    network.load_state_dict({name.removeprefix("module."): tensor for name, tensor in learned.items()})
    current, past = network(inputs), network(stored)
    if scenario == "task":
        task_loss = functional.cross_entropy(current[:, 4:], labels)
        replay_loss = functional.cross_entropy(past[:, 2:4], label)
    else:
        task_loss = functional.cross_entropy(current, labels + 2 * shift)
        replay_loss = functional.cross_entropy(past, label + shift)
    share = 2 / 3 if weight == "equal" else weight
    expected = {"task_loss": task_loss, "replay_loss": replay_loss}
    expected["loss"] = (1 - share) * task_loss + share * replay_loss
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-5), name


@pytest.mark.parametrize("weight", ["equal", 0.3])
def test_what_is_replayed_is_of_all_past_tasks_alike_however_many_examples_of_each_are_kept(weight, examples, module):
    """Also of more tasks than a batch has examples, and in every scenario's outputs."""
    learner = make(module, 100, weight=weight, training={"batch_size": 2})
    for number, count in enumerate((3, 60, 20)):
        learner.learn(tuple(part[:count] for part in examples(number)))
    assert [len(labels) for _, labels in buffer(learner)] == [3, 33, 20]
    learner._standard.begin_task(2)
    past, drawn, tasks = learner._objective()._past, [], []
    for iteration in range(300):
        past.prepare(iteration)
        drawn.append(past.batch(torch.empty(0)).inputs)
        tasks.append(past.batch(torch.empty(0)).tasks)
    assert torch.bincount(torch.cat(tasks)).tolist() == [200, 200, 200]
    found = rows(torch.cat(drawn))
    for kept, _ in buffer(learner):
        assert rows(kept) <= found  # none is never drawn


def test_the_first_task_is_what_fine_tuning_does(examples, module):
    learner, standard = make(module, 40), FineTuningLearner(module(), training=SHORT)
    for each in (learner, standard):
        each.learn(examples(0))
    assert equal(learner.state_dict()["parts"]["network"], standard.state_dict()["parts"]["network"])
