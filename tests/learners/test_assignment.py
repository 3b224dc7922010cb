"""What is assigned to a learner: other settings of training take effect from the next task on, all else is refused."""

import pytest

from hypermnesia.errors import ConfigurationError
from hypermnesia.training import TrainingSettings
from tests.methods import ONE_EACH, TRAINING
from tests.nested import equal, snapshot
from tests.stopping import Stopped, stop_at

OTHERS = {**TRAINING, "iterations": 3, "optimizer": "sgd", "momentum": 0.5, "batch_size": 5, "precision": "bfloat16"}
"""All that a learner's parts look at, too."""


CASES = [case for case in ONE_EACH if case.method.name not in ("hnet-unprotected", "dgr-distill", "online-ewc", "der")]
"""Methods that consist of the same parts are here once."""


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return request.param


def test_other_settings_of_training_are_those_of_the_next_task(case):
    learner, other = case.make(), case.make(training=OTHERS)
    learner.learn(case.tasks[0])
    other.load_state_dict(snapshot(learner.state_dict()))
    other.recall(case.tasks[:1])
    learner.training = learner.training.model_copy(update=OTHERS)
    for each in (learner, other):
        each.learn(case.tasks[1])
    assert learner.training == TrainingSettings(**OTHERS)
    assert equal(snapshot(learner.state_dict()), snapshot(other.state_dict()))


def test_all_else_is_refused_with_what_to_do(case, unchecked):
    learner = case.make()
    before, kept = snapshot(learner.state_dict()), dict(vars(learner))
    for name in TrainingSettings.model_fields.keys() - case.kind.Settings.model_fields.keys():
        with pytest.raises(ConfigurationError, match=rf"{name} is a setting of training: set it by learner\.training"):
            setattr(learner, name, 1)
    for name in [*case.kind.Settings.model_fields, "settings", "scenario", "seeds", "seed", "device"]:
        with pytest.raises(ConfigurationError, match=rf"{name} is what this learner .* make another learner"):
            setattr(learner, name, 1)
    for name in case.kind.Settings.model_fields:
        with pytest.raises(ConfigurationError, match=rf"{name}: settings are not changed but made anew"):
            setattr(learner.settings, name, 1)
    with pytest.raises(ConfigurationError, match=r"learning_rate: .*learner\.training = "):
        learner.training.learning_rate = 1
    for wrong in ({"learning_rate": -1}, {"momentum": 0.9}, "sgd"):
        with pytest.raises(ConfigurationError):
            learner.training = wrong
    assert vars(learner) == kept
    assert equal(learner.state_dict(), before)


def test_amid_a_task_it_is_refused():
    learner = ONE_EACH[0].make()
    learner.learn(ONE_EACH[0].tasks[0])
    with pytest.raises(ConfigurationError, match="'task 1' is being learned at this moment"):
        learner.learn(ONE_EACH[0].tasks[1], monitor=lambda _: setattr(learner, "training", OTHERS))
    with pytest.raises(Stopped):
        learner.learn(ONE_EACH[0].tasks[1], monitor=stop_at(2))
    with pytest.raises(ConfigurationError, match=r"'task 1' is in progress.*abandon\(\)"):
        learner.training = OTHERS
    learner.abandon()
    learner.training = OTHERS
    assert learner.training.optimizer == "sgd"


def test_parts_that_cannot_be_made_with_them_leave_all_as_it_was(monkeypatch):
    learner = ONE_EACH[0].make()
    kept = dict(vars(learner))

    def fails():
        learner._network = None
        raise MemoryError

    monkeypatch.setattr(type(learner), "_make_parts", lambda self: fails())
    with pytest.raises(MemoryError):
        learner.training = OTHERS
    assert vars(learner) == kept
