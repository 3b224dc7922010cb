"""Every learner by every kind of criterion: it learns, answers and is saved, or says first why it does not."""

import copy
import dataclasses
import itertools
import pickle
from typing import Any

import pytest
import torch
import torchmetrics
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import hypermnesia as hm
from hypermnesia.criteria import BinaryCrossEntropy, CrossEntropy
from hypermnesia.errors import CheckpointError, ConfigurationError, DataError, DivergenceError
from hypermnesia.learners import load
from hypermnesia.tasks import SCENARIOS
from tests.methods import ONE_EACH, TRAINING, Case
from tests.nested import equal, snapshot
from tests.ranks import together
from tests.stopping import Stopped, stop_at

pytestmark = pytest.mark.usefixtures("unchecked")

IMAGES = torch.rand(9, 2, 3, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(9) % 2
PIXELS = (torch.arange(81).view(9, 3, 3) // 2) % 2
PIXELS[:4, :, 1:] = -100
HOLDS = torch.stack([CLASSES, 1 - CLASSES, torch.ones(9, dtype=torch.int64)], 1)
NUMBERS = IMAGES.flatten(1)[:, :3]


def row(outputs: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.ReLU(), nn.Linear(4, outputs))


def dense() -> nn.Module:
    """A network with an answer for each pixel."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))


def quantile(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The pinball loss of the quantile 0.9."""
    wrong = targets - outputs
    return torch.maximum(0.9 * wrong, -0.1 * wrong).mean()


@dataclasses.dataclass(frozen=True)
class Learned:
    """What is learned by a criterion."""

    criterion: Any
    module: nn.Module
    labels: torch.Tensor
    metric: str


WEIGHTED = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0]), label_smoothing=0.1)
KINDS = {
    "smooth": Learned(CrossEntropy(label_smoothing=0.1), row(2), CLASSES, "accuracy"),
    "weighted": Learned(WEIGHTED, row(2), CLASSES, "accuracy"),
    "pixels": Learned(None, dense(), PIXELS, "accuracy"),
    "several labels": Learned("binary-cross-entropy", row(3), HOLDS, "accuracy"),
    "masks": Learned(BinaryCrossEntropy(), dense(), (IMAGES > 0.5).long(), "accuracy"),
    "numbers": Learned(nn.MSELoss(), row(3), NUMBERS, "error"),
    "images": Learned(None, dense(), IMAGES, "error"),
    "function": Learned(quantile, row(3), NUMBERS, "loss"),
}
EVERYTHING = set(KINDS)
LEARNED = {
    hm.HypernetworkLearner: EVERYTHING,
    hm.ConsolidatedHypernetworkLearner: EVERYTHING,
    hm.FromScratchLearner: EVERYTHING,
    hm.LikelihoodLearner: EVERYTHING,
    hm.FineTuningLearner: EVERYTHING,
    hm.SeparateLearner: EVERYTHING,
    hm.EWCLearner: EVERYTHING,
    hm.SILearner: EVERYTHING,
    hm.JointLearner: {"smooth", "numbers"},
    hm.TaskInferenceLearner: {"smooth"},
    hm.ReplayLearner: {"smooth"},
    hm.LwFLearner: {"smooth"},
    hm.ExperienceReplayLearner: {"smooth"},
    hm.AGEMLearner: {"smooth"},
    hm.DERLearner: {"smooth"},
}
"""Which of these each learner learns; it refuses the others."""
ONE_A_LEARNER = list({case.kind: case for case in ONE_EACH}.values())
WITH_IGNORED = [case for case in ONE_A_LEARNER if not case.kind.plain_labels_only]


def of_empirical_fisher(case: Case) -> dict[str, Any]:
    """Settings by which a function can be learned: there is no other Fisher information of it."""
    settings = case.settings.model_dump()
    for section in (settings, settings.get("ewc") or {}):
        if "fisher" in section:
            section["fisher"] = "empirical"
    return settings


def make(case: Case, kind: str, **arguments: Any) -> hm.ContinualLearner:
    learned = KINDS[kind]
    if case.scenario is not None:
        arguments = {"scenario": "task", **arguments}
    if kind == "function":
        arguments = {"settings": of_empirical_fisher(case), **arguments}
    defaults = {"settings": case.settings, "criterion": learned.criterion, "training": TRAINING}
    return case.kind(learned.module, **{**defaults, **arguments})


ALIKE = ("weighted", "masks", "images")
"""What differs from another kind in few lines."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in ALIKE else []) for kind in KINDS]
)
@pytest.mark.parametrize("case", ONE_A_LEARNER, ids=lambda case: case.kind.__name__)
def test_every_learner_learns_by_it_or_says_why_not(case, kind, tmp_path):
    learned = KINDS[kind]
    tasks = [hm.Task.of((IMAGES, learned.labels), name=name) for name in ("one", "two")]
    if kind not in LEARNED[case.kind]:
        with pytest.raises((ConfigurationError, DataError), match=rf"{case.kind.__name__} learns one class an input"):
            make(case, kind).learn(tasks[0])
        return
    learner = make(case, kind)
    for task in tasks:
        learner.learn(task)
    assert learner.metric.name == learned.metric
    answer = learner.predict(IMAGES, 0)
    score = learner.score((IMAGES, learned.labels), task=0)
    if learned.metric == "error":
        assert answer.values.shape == learned.labels.shape
        assert score == pytest.approx(float((answer.values - learned.labels).square().mean()), rel=1e-5)
    elif learned.metric == "loss":
        assert score == pytest.approx(float(quantile(answer.outputs, learned.labels)), rel=1e-5)
    else:
        assert answer.labels.shape == learned.labels.shape
        counted = learned.labels >= 0
        assert score == pytest.approx(float((answer.labels == learned.labels)[counted].double().mean()))
    learner.save(tmp_path / "learner.safetensors")
    again = load(tmp_path / "learner.safetensors", learned.module, criterion=quantile if kind == "function" else None)
    assert again.criterion == learner.criterion
    assert equal(again.state_dict(), learner.state_dict())
    assert torch.equal(again.predict(IMAGES, 1).outputs, learner.predict(IMAGES, 1).outputs)


@pytest.mark.parametrize("kind", ["pixels", "function", "weighted"])
def test_a_learner_that_is_stopped_amid_a_task_goes_on_from_a_file(kind, tmp_path):
    case, learned = ONE_A_LEARNER[0], KINDS[kind]
    reference, stopped = make(case, kind), make(case, kind)
    reference.learn((IMAGES, learned.labels))
    with pytest.raises(Stopped):
        stopped.learn((IMAGES, learned.labels), monitor=stop_at(2))
    stopped.save(tmp_path / "learner.safetensors")
    asked_again = {"criterion": quantile} if kind == "function" else {}
    resumed = load(tmp_path / "learner.safetensors", learned.module, **asked_again)
    copies = [copy.deepcopy(stopped), pickle.loads(pickle.dumps(stopped))]
    for learner in (resumed, *copies):
        learner.learn((IMAGES, learned.labels))
        assert equal(learner.state_dict(), reference.state_dict())


def test_ignored_labels_teach_nothing():
    """What stands where nothing is asked changes no weight, whichever number says so."""
    other = torch.where(PIXELS < 0, 255, PIXELS)
    learners = [make(ONE_A_LEARNER[0], "pixels", criterion=CrossEntropy(ignore_index=index)) for index in (-100, 255)]
    for learner, labels in zip(learners, (PIXELS, other), strict=True):
        learner.learn(hm.Task.of((IMAGES, labels), test=(IMAGES, labels)))
    assert equal(learners[0].state_dict(), learners[1].state_dict())
    assert learners[0].score((IMAGES, PIXELS), 0) == learners[1].score((IMAGES, other), 0)
    assert learners[0].tasks[0].outputs == 2


def right_by_hand(learner: hm.ContinualLearner, labels: torch.Tensor, task: int, scenario: str) -> torch.Tensor:
    """Whether each input gets what is asked in the scenario, where each task has two classes."""
    if scenario == "class":
        return learner.predict(IMAGES).classes == labels + 2 * task
    return learner.predict(IMAGES, task if scenario == "task" else None).labels == labels


@pytest.mark.parametrize(
    ("case", "scenario"),
    [
        pytest.param(case, scenario, id=f"{case.kind.__name__}-{scenario}")
        for case, scenario in itertools.product(WITH_IGNORED, SCENARIOS)
        if scenario == "task" or case.kind is not hm.SeparateLearner  # which is always told the task
    ],
)
def test_which_label_is_ignored_makes_no_difference(case, scenario):
    """Labels count within the task: that which is ignored may be the number of an output of another task."""
    learners, counted = [], torch.arange(9) >= 3
    trained_for = {} if case.scenario is None else {"scenario": scenario}
    for ignored in (2, 9):
        labels = torch.where(counted, CLASSES, ignored)
        learner = make(case, "smooth", criterion=CrossEntropy(ignore_index=ignored), **trained_for)
        for name in ("one", "two"):
            learner.learn(hm.Task.of((IMAGES, labels), name=name))
        for task in (0, 1):
            right = right_by_hand(learner, CLASSES, task, scenario)[counted].double().mean()
            assert learner.score((IMAGES, labels), task, scenario=scenario) == pytest.approx(float(right))
        learners.append(learner)
    assert equal(learners[0].state_dict(), learners[1].state_dict())


@pytest.mark.parametrize("kind", [hm.FineTuningLearner, hm.HypernetworkLearner])
def test_a_metric_of_ones_own_sees_no_class_where_the_label_is_ignored(kind):
    theirs = torchmetrics.Accuracy("multiclass", num_classes=4, average="micro", ignore_index=-100)
    learner = kind(row(2), criterion=CrossEntropy(ignore_index=2), metric=theirs, training=TRAINING)
    labels = CLASSES.clone()
    labels[:3] = 2
    for name in ("one", "two"):
        learner.learn(hm.Task.of((IMAGES, labels), name=name))
    for task in (0, 1):
        right = right_by_hand(learner, CLASSES, task, "class")[3:].double().mean()
        assert learner.score((IMAGES, labels), task, scenario="class") == pytest.approx(float(right))


def loss_by_hand(answer: hm.Prediction, weight: list[float]) -> float:
    """Loss in the class-incremental scenario on the second of two tasks of two classes."""
    logits = answer.logits_of_all
    if logits is None:  # the certainty of the task, and half of the rest for each class of the other
        sure = answer.certainty.clamp(1e-7, 1 - 1e-7)
        logits = torch.empty(9, 4)
        for number, (task, p, outputs) in enumerate(zip(answer.task.tolist(), sure, answer.outputs, strict=True)):
            logits[number] = ((1 - p) / 2).log()
            logits[number, 2 * task : 2 * task + 2] = p.log() + outputs.log_softmax(0)
    return float(nn.CrossEntropyLoss(torch.tensor([1.0, 1.0, *weight]), label_smoothing=0.1)(logits, CLASSES + 2))


@pytest.mark.parametrize(
    "case", [case for case in ONE_A_LEARNER if case.kind is not hm.SeparateLearner], ids=lambda case: case.kind.__name__
)
def test_the_loss_among_the_classes_of_all_tasks_is_finite(case):
    """Also where a task is inferred wrongly; weights of classes are those of the task that is asked for."""
    kind, weight = ("smooth", [1.0, 1.0]) if case.kind.plain_labels_only else ("weighted", [1.0, 3.0])
    learner = make(case, kind, metric="loss", **({} if case.scenario is None else {"scenario": "class"}))
    for name in ("one", "two"):
        learner.learn(hm.Task.of((IMAGES, CLASSES), name=name))
    found = learner.score((IMAGES, CLASSES), 1, scenario="class")
    assert found < 100
    assert found == pytest.approx(loss_by_hand(learner.predict(IMAGES), weight), rel=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("asked", [{"early_stopping": {}}, {"plateau": {}}], ids=str)
def test_what_is_no_number_ends_no_task_early(asked, value):
    """Nothing is better than it, so learning would end after a few epochs and nobody would know why."""
    learner = hm.FineTuningLearner(row(2), metric=lambda outputs, targets: value, training={"epochs": 3, **asked})
    with pytest.raises(DivergenceError, match=rf"metric on validation examples became {value} after 1 iterations"):
        learner.learn(hm.Task.of((IMAGES, CLASSES), validation=(IMAGES, CLASSES)))
    assert learner.num_tasks == 0


def test_segmentation_is_learned_and_kept():
    """Two tasks, in which the brighter channel, or the darker one, is what a pixel is of."""
    training = {"iterations": 60, "learning_rate": 0.05}
    learner = hm.HypernetworkLearner(dense(), chunk_size=43, hidden=(8,), embedding_candidates=1, training=training)
    brighter = (IMAGES[:, 0] > IMAGES[:, 1]).long()
    for labels in (brighter, 1 - brighter):
        learner.learn(DataLoader(TensorDataset(IMAGES, labels), batch_size=9))
    for task, labels in enumerate((brighter, 1 - brighter)):
        assert learner.score((IMAGES, labels), task) > 0.85


class Tagger(nn.Module):
    """A class for each token; the linear head gives them last."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(7, 4), nn.Linear(4, 3)

    def forward(self, tokens):
        return self.head(self.embedding(tokens)).movedim(-1, 1)


@pytest.mark.parametrize("scenario", ["task", "domain"])
def test_sequences_are_labelled_by_a_growing_head(scenario):
    tokens = torch.arange(30).view(6, 5) % 7
    labels = torch.where(tokens == 6, -100, tokens % 2)
    learner = hm.FineTuningLearner(Tagger(), scenario=scenario, training={"iterations": 100, "learning_rate": 0.05})
    learner.learn((tokens, labels))
    assert learner.score((tokens, labels), 0) == 1
    learner.learn((tokens, torch.where(labels < 0, labels, 1 - labels)))
    assert learner.score((tokens, torch.where(labels < 0, labels, 1 - labels)), 1) == 1
    assert learner.predict(tokens, 0 if scenario == "task" else None).labels.shape == (6, 5)
    each = learner.predict(tokens[:, :5], task=[0, 1, 0, 1, 0, 1])
    assert each.outputs.shape == (6, 2, 5)


@pytest.mark.parametrize(
    ("labels", "module", "criterion", "sentence"),
    [
        (PIXELS.abs() - 3, dense(), None, r"from 0 on, but the smallest is -3 \(-100 is ignored"),
        (torch.full((9, 3, 3), -100), dense(), None, "all labels .* are -100, which is ignored"),
        (PIXELS.clamp(0) + 1, dense(), None, "labels up to 2, but the module has 2 outputs"),
        (PIXELS, row(2), None, r"must give one tensor of \[n, classes, 3, 3\] numbers .* not \[2, 2\] for 2"),
        (HOLDS, row(3), None, r"\[n, classes, 3\] numbers.*labels.argmax\(1\).*criterion='binary-cross-entropy'"),
        (IMAGES, row(2), None, r"\[n, outputs, 3, 3\] numbers"),
        (HOLDS + 1, row(3), "binary-cross-entropy", "go from 1 to 2, .* must be 0 or 1"),
        (HOLDS, row(2), "binary-cross-entropy", "has 3 labels for each input, but the module gives 2"),
        (CLASSES, row(2), CrossEntropy(weight=[1.0]), "has 2 classes, but the criterion has weights for 1"),
        (CLASSES, row(2), CrossEntropy(weight=[1, 2, 3]), "has at most 2 classes, but the criterion has weights for 3"),
        (HOLDS, row(3), BinaryCrossEntropy(pos_weight=[1, 2]), "has 3 labels for each input, but pos_weight has 2"),
        (CLASSES, row(2), nn.MSELoss(), "are classes, but its labels are floating-point numbers"),
        (NUMBERS, row(3), nn.CrossEntropyLoss(), "are numbers, but its labels are class numbers"),
        (NUMBERS, row(3), lambda outputs, targets: (outputs - targets).square(), "it must return one number"),
        (NUMBERS, row(3), lambda outputs: outputs.mean(), "cannot be learned .* TypeError"),
    ],
)
def test_labels_that_do_not_fit_are_refused_and_change_nothing(labels, module, criterion, sentence):
    learner = hm.HypernetworkLearner(module, chunk_size=40, criterion=criterion, training=TRAINING)
    before = snapshot(learner.state_dict())
    with pytest.raises(DataError, match=sentence):
        learner.learn((IMAGES, labels))
    assert equal(learner.state_dict(), before)


@pytest.mark.parametrize(("kind", "wrong"), [("pixels", -1), ("pixels", 7), ("smooth", 7)])
def test_a_wrong_label_that_is_met_while_learning_undoes_the_task(kind, wrong):
    """Of a dataset that is not in memory nobody reads all labels first."""
    learner, labels = make(ONE_A_LEARNER[0], kind), KINDS[kind].labels.clone()
    labels[-1] = wrong
    before = snapshot(learner.state_dict())
    with pytest.raises(DataError, match=r"labels must be class numbers from 0 to 1.*out of bounds"):
        learner.learn(list(zip(IMAGES, labels, strict=True)))
    assert equal(learner.state_dict(), before)


def test_labels_of_another_shape_are_no_more_of_the_same():
    learner = make(ONE_A_LEARNER[0], "pixels")
    learner.learn((IMAGES, PIXELS))
    for wrong in (CLASSES, HOLDS):
        with pytest.raises(DataError, match=r"but those before were classes of shape \[3, 3\]"):
            learner.learn((IMAGES, wrong))
        with pytest.raises(DataError, match=r"what was learned are classes of shape \[n, …, …\]"):
            learner.score((IMAGES, wrong), 0)


@pytest.mark.parametrize("kind", ["pixels", "several labels", "function"])
def test_where_no_input_is_of_one_class_none_is_asked_for(kind):
    """Neither in the class-incremental scenario, nor by how sure networks are."""
    with pytest.raises((ConfigurationError, DataError), match="asks for one class among all"):
        hm.FineTuningLearner(KINDS[kind].module, criterion=KINDS[kind].criterion).learn((IMAGES, KINDS[kind].labels))
    learner = make(ONE_A_LEARNER[0], kind)
    learner.learn((IMAGES, KINDS[kind].labels))
    with pytest.raises(ConfigurationError, match="say which task"):
        learner.predict(IMAGES)
    if kind != "function":
        with pytest.raises(ConfigurationError, match="is of no one class"):
            _ = learner.predict(IMAGES, 0).classes


def test_a_function_has_no_other_fisher_information_than_the_empirical_one():
    for make_it in (
        lambda: hm.EWCLearner(row(3), scenario="task", criterion=quantile),
        lambda: hm.ConsolidatedHypernetworkLearner(row(3), ewc={}, criterion=quantile),
    ):
        with pytest.raises(ConfigurationError, match=r"quantile is no likelihood.*fisher to 'empirical'"):
            make_it()


def spread(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).std()


def test_functions_are_asked_for_again_by_name(tmp_path):
    learner = make(ONE_A_LEARNER[0], "function", metric=spread)
    learner.learn((IMAGES, NUMBERS))
    learner.save(tmp_path / "learner.safetensors")
    path, module = tmp_path / "learner.safetensors", row(3)
    with pytest.raises(CheckpointError, match=r"its criterion is '.*quantile', .*load\(path, module, criterion=…\)"):
        load(path, module, metric=spread)
    with pytest.raises(CheckpointError, match=r"its metric is '.*spread', .*load\(path, module, metric=…\)"):
        load(path, module, criterion=quantile)
    again = load(path, module, criterion=quantile, metric=spread)
    assert again.score((IMAGES, NUMBERS), 0) == learner.score((IMAGES, NUMBERS), 0)
    named = make(ONE_A_LEARNER[0], "weighted", metric="loss")
    named.save(path)
    assert (load(path, row(2)).criterion, load(path, row(2)).metric.name) == (named.criterion, "loss")
    with pytest.raises(CheckpointError, match=r"saved with another criterion.*leave criterion out"):
        load(path, row(2), criterion=quantile)


def test_a_criterion_is_what_a_learner_was_made_with():
    learner = make(ONE_A_LEARNER[0], "weighted")
    for name in ("criterion", "metric"):
        with pytest.raises(ConfigurationError, match=f"{name} is what this learner and its networks were made with"):
            setattr(learner, name, None)


@pytest.mark.parametrize("kind", [hm.FineTuningLearner, hm.HypernetworkLearner])
def test_in_the_class_incremental_scenario_a_metric_sees_the_classes_of_all_tasks(kind):
    metric = torchmetrics.Accuracy("multiclass", num_classes=4, average="micro")
    learners = [kind(row(2), metric=each, training=TRAINING) for each in (None, metric)]
    for learner in learners:
        for name in ("one", "two"):
            learner.learn(hm.Task.of((IMAGES, CLASSES), name=name))
        assert learner.score((IMAGES, CLASSES), "two", scenario="class") == pytest.approx(
            learners[0].score((IMAGES, CLASSES), "two", scenario="class")
        )
    assert learners[1].metric.name == "MulticlassAccuracy"


def test_a_sequence_is_measured_by_the_users_metric():
    case = ONE_A_LEARNER[0]
    learner = make(case, "several labels", metric=torchmetrics.HammingDistance("multilabel", num_labels=3))
    tasks = [hm.Task.of((IMAGES, HOLDS), test=(IMAGES, HOLDS), name=name) for name in ("one", "two")]
    matrix = hm.learn_sequence(learner, tasks, progress=False)
    wrong = (learner.predict(IMAGES, 0).labels != HOLDS).double().mean()
    assert matrix[1, 0] == pytest.approx(float(wrong))
    assert not learner.metric.more_is_better


def test_ranks_learn_as_one_process_does_however_ignored_labels_are_spread():
    """The mean is over what counts in the whole batch, not over what each rank happens to count."""

    def learn() -> torch.Tensor:
        torch.set_default_dtype(torch.float64)
        learner = hm.FineTuningLearner(
            dense().double(), scenario="task", criterion=CrossEntropy(weight=[1, 3]), training={"iterations": 3}
        )
        losses = []
        learner.learn((IMAGES.double(), PIXELS), monitor=lambda p: losses.append([*map(float, p.scalars.values())]))
        return torch.tensor([*torch.tensor(losses).flatten(), *learner.predict(IMAGES.double(), 0).outputs.flatten()])

    try:
        alone = learn()
        for found in together(2, learn):
            torch.testing.assert_close(found, alone, rtol=1e-6, atol=1e-7)
    finally:
        torch.set_default_dtype(torch.float32)
