"""What training looks at beside its examples, in every learner: validation examples, epochs, label smoothing."""

import math

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.criteria import CrossEntropy
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.settings import checked
from hypermnesia.training import TrainingSettings
from hypermnesia.training.plateau import PlateauFactor
from hypermnesia.training.settings import Plateau
from tests.methods import COUNT, FEATURES, ONE_EACH, OUTPUTS, TRAINING, network
from tests.nested import equal, snapshot
from tests.stopping import Stopped, stop_at

SHAPE = (1, 2, FEATURES // 2)
EVERYTHING = {
    **TRAINING,
    "iterations": None,
    "epochs": 4,
    "schedule": "milestones",
    "milestones": [[1, 0.5], [2.5, 0.25]],
    "plateau": {"patience": 0, "factor": 0.5},
    "augmentation": {"crop_border": 1, "flip": True},
}
"""All that a step may depend on beside the batch and the weights."""

pytestmark = pytest.mark.usefixtures("unchecked")


def task(number: int = 0, count: int = COUNT) -> hm.Task:
    inputs = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(number))
    labels = torch.arange(count) % 2
    return hm.Task.of((inputs, labels), validation=(inputs[:5], labels[:5]), name=f"task {number}")


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request):
    """Each method."""
    return request.param


def test_a_stopped_task_goes_on_bit_for_bit(case, tmp_path):
    whole, stopped = (case.make(training=EVERYTHING) for _ in range(2))
    for number in range(2):
        whole.learn(task(number))
    stopped.learn(task(0))
    with pytest.raises(Stopped):
        stopped.learn(task(1), monitor=stop_at(7))
    stopped.save(tmp_path / "learner")
    again = case.load(tmp_path / "learner", 0)
    again.recall([task(0)])
    again.learn(task(1))
    assert equal(snapshot(again.state_dict()), snapshot(whole.state_dict()))


def test_the_rate_falls_at_epochs_and_when_validation_stops_getting_better(case):
    # Steps so small that the metric never gets better, and no statistics that change.
    module = nn.Sequential(nn.Flatten(), nn.Linear(FEATURES, OUTPUTS))
    learner = case.make(module=module, training={**EVERYTHING, "learning_rate": 1e-30})
    rates = []
    learner.learn(task(0), monitor=lambda _: rates.append(learner._trainer._optimizer.param_groups[0]["lr"]))
    # 15 examples in batches of 6: an epoch ends within the third step, the second after the fifth.
    assert len(rates) == math.ceil(4 * COUNT / 6) == 10
    # After the first epoch the schedule's factor; from the second on also the plateau's, once an epoch.
    expected = [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25 / 2, 0.25 / 4, 0.25 / 4]
    assert [rate / rates[0] for rate in rates] == pytest.approx(expected)


def test_validation_examples_are_needed_only_for_a_plateau(case):
    inputs, labels = torch.rand(COUNT, *SHAPE), torch.arange(COUNT) % 2
    case.make(training={**EVERYTHING, "plateau": None}).learn((inputs, labels))
    learner = case.make(training=EVERYTHING)
    with pytest.raises(
        ConfigurationError, match=r"training.plateau looks at validation examples.*task 'task' has none"
    ):
        learner.learn((inputs, labels))
    assert learner.in_progress is None


def test_a_plateau_never_looks_at_test_data():
    def learned(test):
        learner = hm.FineTuningLearner(network(), training=EVERYTHING)
        given = task(0)
        learner.learn(hm.Task.of((given.train), validation=given.validation, test=test))
        return snapshot(learner.state_dict())

    inputs = torch.rand(4, *SHAPE)
    assert equal(learned((inputs, torch.tensor([0, 0, 1, 1]))), learned((inputs, torch.tensor([1, 1, 0, 0]))))


@pytest.mark.parametrize("better", [True, False])
def test_a_factor_falls_after_more_than_patience_and_not_below_the_least_rate(better):
    plateau = PlateauFactor(Plateau(factor=0.1, patience=2, least_rate=1e-4), 1e-2, more_is_better=better)
    values = []
    for value in [1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]:
        plateau.measured(value if better else 1 / value)
        values.append(plateau.value)
    assert values == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01])


def test_label_smoothing_leaves_the_published_share_to_the_true_class():
    outputs, labels = torch.randn(6, 10, dtype=torch.float64), torch.arange(6)
    targets = torch.full((6, 10), 0.05 / 9, dtype=torch.float64)
    targets[labels, labels] = 0.95
    expected = -(targets * outputs.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(CrossEntropy(label_smoothing=0.05 / 0.9).loss(outputs, labels), expected)


@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
def test_joint_training_smooths_over_the_classes_that_compete(scenario):
    module = nn.Sequential(nn.Flatten(), nn.Linear(FEATURES, OUTPUTS))
    smooth = CrossEntropy(label_smoothing=0.2)
    learner = hm.JointLearner(module, scenario=scenario, criterion=smooth, training=TRAINING)
    losses = []
    for number in range(2):
        learner.learn(task(number), monitor=lambda progress: losses.append(float(progress.scalars["loss"])))
    # Near log 2 or log 4 at the start, and nowhere near what an impossible class would cost.
    assert all(0 < loss < 2 for loss in losses)
    alone = hm.FineTuningLearner(
        module, scenario=scenario, criterion=CrossEntropy(label_smoothing=0.2), training=TRAINING
    )
    first = []
    alone.learn(task(0), monitor=lambda progress: first.append(float(progress.scalars["loss"])))
    assert losses[: len(first)] == pytest.approx(first, rel=1e-5)


def test_a_regression_has_no_labels_to_smooth():
    smooth = CrossEntropy(label_smoothing=0.1)
    learner = hm.HypernetworkLearner(nn.Linear(3, 1), chunk_size=4, criterion=smooth, training=TRAINING)
    with pytest.raises(DataError, match=r"are numbers, but its labels are class numbers.*cross-entropy"):
        learner.learn((torch.rand(4, 3), torch.rand(4)))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"milestones": [[1, 0.1]]}, "milestones: has an effect only where schedule is milestones, and it is constant"),
        ({"schedule": "milestones"}, "belong together"),
        ({"schedule": "milestones", "milestones": [[2, 0.1], [1, 0.2]]}, "in the order of their epochs"),
        ({"schedule": "milestones", "milestones": [[2, 0.1], [2, 0.2]]}, "each once"),
        ({"schedule": "milestones", "milestones": [[2, -1]]}, "milestones"),
        ({"schedule": "milestones", "milestones": [[float("nan"), 1]]}, "milestones"),
        ({"plateau": {"least_rate": 1e-3}}, "least_rate: the learning rate begins at 0.001 and could never fall"),
        ({"plateau": {"factor": 1}}, "plateau.factor"),
        ({"plateau": {"patience": -1}}, "plateau.patience"),
        ({"augmentation": {"crop_border": -1}}, "augmentation.crop_border"),
        ({"augmentation": {"flips": True}}, "Did you mean 'flip'"),
    ],
)
def test_wrong_settings_are_refused(settings, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        checked(TrainingSettings, settings)
