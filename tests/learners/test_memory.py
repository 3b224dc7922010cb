"""Examples that learners keep: how many, which, and how they are drawn."""

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from hypermnesia.errors import ConfigurationError
from hypermnesia.learners import AGEMLearner, DERLearner, ExperienceReplayLearner, FineTuningLearner
from hypermnesia.learners.memory import Memory, MemoryLearner, StoredExamples
from hypermnesia.seeds import Seeds
from hypermnesia.tasks import Task
from hypermnesia.tasks.scenario import Outputs
from hypermnesia.training import TrainingSettings
from tests.nested import equal

CLASSES = (2, 3, 2, 1)
SHORT = {"iterations": 3, "batch_size": 16}


@pytest.fixture(params=[ExperienceReplayLearner, AGEMLearner, DERLearner], ids=["ER", "A-GEM", "DER"])
def make(request, module):
    """A learner of each kind that keeps examples, with room for so many."""

    def of_size(buffer_size: int, **settings) -> MemoryLearner:
        return request.param(module(), buffer_size=buffer_size, training=SHORT, **settings)

    return of_size


def everything(learner: MemoryLearner) -> list[list[torch.Tensor]]:
    return learner.state_dict()["parts"]["buffer"]["kept"]


def buffer(learner: MemoryLearner) -> list[list[torch.Tensor]]:
    """Inputs and labels of each task."""
    return [kept[:2] for kept in everything(learner)]


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
def test_the_buffer_holds_equal_shares_of_all_tasks_with_their_labels_and_never_more(size, form, make, examples):
    learner = make(size)
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
def test_what_is_kept_is_drawn_at_random(form, make, examples):
    """Neither the first examples nor one class only, also of a loader that gives class after class."""
    kept = []
    for seed in range(2):
        learner = make(30, seed=seed)
        learner.learn(in_form(form, *examples(0)))
        ((inputs, labels),) = buffer(learner)
        assert 5 <= int(labels.sum()) <= 25  # of 30, half of them expected
        # After another task half of it is left, in which there are both classes again.
        learner.learn(in_form(form, *examples(1)))
        assert 2 <= int(buffer(learner)[0][1].sum()) <= 13
        kept.append(rows(inputs))
    assert kept[0] != kept[1]


def test_a_small_task_is_kept_whole(make, examples):
    learner = make(40)
    inputs, labels = examples(0)
    learner.learn((inputs[:6], labels[:6]))
    learner.learn(examples(1))
    assert [len(labels) for _, labels in buffer(learner)] == [6, 20]
    assert rows(buffer(learner)[0][0]) == rows(inputs[:6])


def test_gray_levels_are_kept_as_they_are_learned(make, examples):
    learner = make(5)
    inputs, labels = examples(0)
    learner.learn(((255 * inputs).byte(), labels))
    ((kept, _),) = buffer(learner)
    assert kept.dtype == torch.float32 and kept.min() >= 0 and kept.max() <= 1
    assert rows(kept) <= rows((255 * inputs).byte().float() / 255)


def test_memory_is_that_of_weights_and_buffer(make, examples, module):
    learner, without = make(40), FineTuningLearner(module(), training=SHORT)
    for number, kept in enumerate((40, 40, 39)):  # three times thirteen
        for each in (learner, without):
            each.learn(examples(number))
        logits = sum(4 * part.numel() for _, _, *answers in everything(learner) for part in answers)
        assert learner.memory_bytes - without.memory_bytes == kept * (28 * 4 + 8) + logits


def test_the_buffer_keeps_no_more_alive_than_it_holds(make, examples):
    """Shares are copies, not views of what was kept before."""
    learner = make(40)
    for number in range(3):
        learner.learn(examples(number))
    for kept in everything(learner):
        assert all(part.untyped_storage().nbytes() == part.numel() * part.element_size() for part in kept)


def test_more_tasks_than_the_buffer_has_room_for_are_refused_and_change_nothing(make, examples):
    learner = make(2)
    for number in range(2):
        learner.learn(examples(number))
    before = learner.state_dict()
    with pytest.raises(ConfigurationError, match=r"buffer of 2 examples .* each of 3 tasks: raise buffer_size"):
        learner.learn(examples(2))
    assert learner.in_progress is None
    assert equal(learner.state_dict(), before)


def test_the_first_task_is_what_fine_tuning_does(make, examples, module):
    learner, standard = make(40), FineTuningLearner(module(), training=SHORT)
    for each in (learner, standard):
        each.learn(examples(0))
    assert equal(learner.state_dict()["parts"]["network"], standard.state_dict()["parts"]["network"])


def stored(scenario: str, label_smoothing: float = 0.0, **training) -> StoredExamples:
    """Of images of two tasks, of two and of three classes, whose pixels say which they are."""
    memory = Memory(8, Seeds(0), torch.device("cpu"), lambda inputs: inputs[:, 0, 0, :2])
    for number, classes in enumerate((2, 3)):
        images = (torch.arange(4.0)[:, None] + 10 * number + torch.tensor([0.0, 0.25]))[:, None, None, :]
        memory.end_task(Task.of((images, torch.arange(4) % classes)))
    outputs = Outputs(scenario, (2, 3, 4))
    return StoredExamples(memory, outputs, TrainingSettings(batch_size=50, **training), Seeds(1), label_smoothing)


@pytest.mark.parametrize(
    ("scenario", "starts", "count"), [("task", (0, 2), 9), ("domain", (0, 0), 4), ("class", (0, 2), 9)]
)
def test_a_batch_has_examples_of_all_past_tasks_with_all_that_belongs_to_them(scenario, starts, count):
    source = stored(scenario)
    source.prepare(0)
    inputs, targets, tasks, _ = source.batch(torch.zeros(7))
    assert targets.shape == source.answers.shape == (50, count)
    assert set(tasks.tolist()) == {0, 1}
    for image, target, task, answers in zip(inputs[:, 0, 0], targets, tasks.tolist(), source.answers, strict=True):
        number = int(image[0]) - 10 * task
        expected = torch.zeros(count)
        expected[starts[task] + number % (2 + task)] = 1
        assert torch.equal(target, expected)
        # What was kept beside it lies at the first outputs that compete for it; others of these came since.
        first, competing = (starts[task], 2 + task) if scenario == "task" else (0, count)
        assert torch.equal(answers[first : first + 2], image)
        assert answers[first + 2 : first + competing].count_nonzero() == 0
        assert answers.isnan().sum() == count - competing


def test_batches_differ_from_step_to_step_and_lie_in_the_same_storage():
    source = stored("class")
    source.prepare(0)
    first = source.batch(torch.zeros(1))
    values = [part.clone() for part in first[:3]]
    source.prepare(1)
    assert not torch.equal(first.inputs, values[0])
    source.prepare(0)
    assert all(torch.equal(part, value) for part, value in zip(first[:3], values, strict=True))


def test_remembered_images_are_augmented_anew_in_every_step():
    source = stored("class", augmentation={"flip": True})
    flipped = []
    for iteration in range(2):
        source.prepare(iteration)
        inputs, _, tasks, _ = source.batch(torch.zeros(1))
        left, right = inputs[:, 0, 0].T
        turned = left > right
        flipped.append(turned)
        assert torch.equal(torch.where(turned, right, left) // 10, tasks.float())
        assert 10 < int(turned.sum()) < 40
        # What belongs to an example stays as it is.
        assert torch.equal(source.answers.nan_to_num().amax(1) % 1, torch.full((50,), 0.25))
    assert not torch.equal(*flipped)


@pytest.mark.parametrize("scenario", ["task", "class"])
def test_labels_are_smoothed_over_the_classes_that_compete(scenario):
    hard, smooth = stored(scenario), stored(scenario, label_smoothing=0.3)
    for source in (hard, smooth):
        source.prepare(0)
    _, targets, tasks, _ = hard.batch(torch.zeros(1))
    competing = torch.ones(50, 9) / 9
    if scenario == "task":
        competing = torch.where(tasks[:, None] == 0, torch.eye(9)[:2].sum(0) / 2, torch.eye(9)[2:5].sum(0) / 3)
    torch.testing.assert_close(smooth.batch(torch.zeros(1)).targets, 0.7 * targets + 0.3 * competing)


@pytest.mark.parametrize("batch_size", [2, 50])
def test_every_past_task_has_the_same_share_however_many_examples_of_it_are_kept(batch_size):
    """Also of a task that has fewer than its share, and of more tasks than a batch has examples."""
    memory = Memory(100, Seeds(0), torch.device("cpu"))
    for number, count in enumerate((3, 60, 20)):
        memory.end_task(Task.of((torch.arange(float(count))[:, None] + 100 * number, torch.zeros(count).long())))
    assert [len(inputs) for inputs, _ in memory.kept] == [3, 33, 20]
    source = StoredExamples(memory, Outputs("class", (1, 1, 1, 1)), TrainingSettings(batch_size=batch_size), Seeds(1))
    tasks, inputs = [], []
    for iteration in range(300):
        source.prepare(iteration)
        batch = source.batch(torch.zeros(1))
        tasks.append(batch.tasks.clone())
        inputs.append(batch.inputs.clone())
    assert torch.bincount(torch.cat(tasks)).tolist() == [100 * batch_size] * 3
    for kept, _ in memory.kept:
        assert rows(kept) <= rows(torch.cat(inputs))  # none is never drawn
