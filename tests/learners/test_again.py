"""Old tasks touched on purpose: more of one is learned, one is forgotten, one that comes again is recognized."""

import itertools

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.learners import ContinualLearner, load
from hypermnesia.tasks import TensorExamples
from tests.methods import CASES, CLASSES, COUNT, FEATURES, ONE_EACH, OUTPUTS, Case, answers, network
from tests.nested import equal, snapshot
from tests.stopping import Stopped, stop_at

pytestmark = pytest.mark.usefixtures("unchecked")

RELEARNING = [case for case in CASES if case.kind.relearns]
FORGETTING = [case for case in CASES if case.kind.forgets]
SMALL = {"latent_dim": 2, "condition_dim": 2, "hidden": (6,), "hypernetwork": {"hidden": (6,), "chunk_size": 40}}
INPUTS = torch.rand(6, FEATURES, generator=torch.Generator().manual_seed(5))


def more(case: Case, number: int, seed: int = 9) -> hm.Task:
    """New examples of a task."""
    inputs = torch.rand(COUNT, FEATURES, generator=torch.Generator().manual_seed(seed))
    if case.labels == "numbers":
        return hm.Task(f"task {number}", TensorExamples(inputs, inputs[:, :OUTPUTS] + number))
    return hm.Task(f"task {number}", TensorExamples(inputs, torch.arange(COUNT) % CLASSES[number]))


def three(case: Case, **arguments) -> ContinualLearner:
    learner = case.make(**arguments)
    for task in case.tasks:
        learner.learn(task)
    return learner


def test_the_learners_of_hypernetworks_and_those_with_separate_networks_can_do_it():
    """And none that is registered otherwise: what a learner says it can do it can."""
    can = {case.method.name for case in RELEARNING}
    assert can == {
        "hnet",
        "hnet-unprotected",
        "hnet-ewc",
        "hnet-si",
        "hnet-tir",
        "hnet-likelihood",
        "from-scratch",
        "separate",
    }
    assert {case.method.name for case in FORGETTING} == can - {"hnet-ewc", "hnet-si"}


@pytest.mark.parametrize("case", RELEARNING, ids=str)
class TestRelearning:
    def test_more_of_a_task_is_learned_from_where_it_was(self, case):
        """Its answers move, its number, name and classes do not; whatever is its own of other tasks stays."""
        learner = three(case)
        before = [learner.predict(INPUTS, number).outputs for number in range(3)]
        described = learner.tasks
        learner.relearn(more(case, 1))
        assert (learner.tasks, learner.num_tasks, learner.in_progress) == (described, 3, None)
        after = [learner.predict(INPUTS, number).outputs for number in range(3)]
        moved = [(a - b).abs().max().item() for a, b in zip(after, before, strict=True)]
        assert moved[1] > 0
        if case.method.name in ("from-scratch", "separate"):
            assert moved[0] == moved[2] == 0
        assert learner.num_weights == case.learned.learner.num_weights
        assert learner.memory_bytes == case.learned.learner.memory_bytes

    def test_nothing_moves_where_the_learning_rate_is_next_to_nothing(self, case):
        """So it starts from what was learned, the task's embedding and parameters of its own included."""
        module = nn.Sequential(nn.Linear(FEATURES, 5), nn.ReLU(), nn.Linear(5, OUTPUTS))
        own = {"settings": case.settings.model_copy(update={"own": ("2.*",)})} if "hnet" in case.method.name else {}
        learner = three(case, module=module, **own)
        learner.training = learner.training.model_copy(update={"learning_rate": 1e-12})
        before = [learner.predict(INPUTS, number).outputs for number in range(3)]
        learner.relearn(more(case, 1))
        after = [learner.predict(INPUTS, number).outputs for number in range(3)]
        for one, other in zip(before, after, strict=True):
            torch.testing.assert_close(one, other)

    def test_it_is_undone_by_errors_and_goes_on_after_stops(self, case, tmp_path):
        whole, learner = three(case), three(case)
        whole.relearn(more(case, 1))

        def fail(progress):
            raise ArithmeticError

        with pytest.raises(ArithmeticError):
            learner.relearn(more(case, 1), monitor=fail)
        assert equal(learner.state_dict(), case.learned.states[3])
        with pytest.raises(Stopped):
            learner.relearn(more(case, 1), monitor=stop_at(2))
        assert (learner.in_progress, learner.num_tasks) == (2, 3)
        learner.save(tmp_path / "learner.safetensors")
        resumed, abandoned = (case.load(tmp_path / "learner.safetensors", 3) for _ in range(2))
        abandoned.abandon()
        assert equal(abandoned.state_dict(), case.learned.states[3])
        for each in (learner, resumed):
            assert len(each.predict(INPUTS, 1).outputs) == len(INPUTS)
            with pytest.raises(DataError, match="another content"):
                each.relearn(more(case, 1, seed=10))
            with pytest.raises(ConfigurationError, match=r"begun by relearn\(…, task=1\)"):
                each.learn(more(case, 1))
            with pytest.raises(ConfigurationError, match=r"begun by relearn\(…, task=1\)"):
                each.relearn(more(case, 1), task=0)
            each.relearn(more(case, 1))
            assert equal(each.state_dict(), whole.state_dict())

    def test_further_tasks_are_learned_after_it(self, case, tmp_path):
        learner = case.make()
        for task in case.tasks[:2]:
            learner.learn(task)
        learner.relearn(more(case, 0))
        learner.save(tmp_path / "learner.safetensors")
        loaded = case.load(tmp_path / "learner.safetensors", 2)
        for each in (learner, loaded):
            each.learn(case.tasks[2])
            assert [task.name for task in each.tasks] == ["task 0", "task 1", "task 2"]
        assert equal(learner.state_dict(), loaded.state_dict())

    def test_the_task_may_be_said_by_its_number_or_have_another_name(self, case):
        one, other = three(case), three(case)
        one.relearn(more(case, 1))
        other.relearn(more(case, 1).train.take(torch.arange(COUNT)), task="task 1")
        assert equal(one.state_dict(), other.state_dict())

    def test_examples_that_are_not_of_the_task_are_refused_and_change_nothing(self, case):
        learner = three(case)
        with pytest.raises(ConfigurationError, match="there is no task 'task 7'"):
            learner.relearn(hm.Task("task 7", more(case, 1).train))
        with pytest.raises(ConfigurationError, match="there is no task 3"):
            learner.relearn(more(case, 1), task=3)
        if case.labels != "numbers":
            with pytest.raises(DataError, match=r"no examples of task 'task 0', which has 2 classes \(0-0, 0-1\)"):
                learner.relearn(more(case, 1), task=0)
            named = hm.Task("task 0", more(case, 0).train, classes=("a", "b"))
            with pytest.raises(DataError, match="no examples of task 'task 0'"):
                learner.relearn(named)
        assert equal(learner.state_dict(), case.learned.states[3])


@pytest.mark.parametrize("beta", [0.0, 1e4])
def test_others_are_protected_while_more_of_a_task_is_learned(beta):
    """By the regularizer, over tasks before it and after it."""
    case = next(case for case in ONE_EACH if case.method.name == "hnet")
    settings = case.settings.model_copy(update={"beta": beta})
    learner = three(case, settings=settings, training={"iterations": 60, "learning_rate": 0.01})
    before = [learner.hypernetwork.layout.flatten(learner.hypernetwork(number)).detach() for number in range(3)]
    learner.relearn(more(case, 1))
    after = [learner.hypernetwork.layout.flatten(learner.hypernetwork(number)).detach() for number in range(3)]
    moved = [((a - b).norm() / b.norm()).item() for a, b in zip(after, before, strict=True)]
    if beta:
        assert max(moved[0], moved[2]) < 0.1 * moved[1]
    else:
        assert min(moved[0], moved[2]) > 0.1 * moved[1]


@pytest.mark.parametrize("case", FORGETTING, ids=str)
class TestForgetting:
    def test_a_task_goes_and_others_stay_bit_for_bit_with_their_numbers(self, case, tmp_path):
        learner = three(case)
        before = [learner.predict(INPUTS, number) for number in range(3)]
        weights, memory = learner.num_weights, learner.memory_bytes
        learner.forget("task 1")
        learner.save(tmp_path / "learner.safetensors")
        loaded = load(tmp_path / "learner.safetensors", network(7))
        assert learner.num_weights < weights and learner.memory_bytes < memory
        for each in (learner, loaded):
            assert each.num_tasks == 3
            assert [task.forgotten for task in each.tasks] == [False, True, False]
            for number in (0, 2):
                answer = each.predict(INPUTS, number)
                assert torch.equal(answer.outputs, before[number].outputs)
                if case.labels != "numbers":
                    assert torch.equal(answer.classes, before[number].classes)
            for asked, message in ((1, "task 1, 'task 1', was forgotten"), ("task 1", "task 1, 'task 1', was forg")):
                with pytest.raises(ConfigurationError, match=message):
                    each.predict(INPUTS, asked)
                with pytest.raises(ConfigurationError, match=message):
                    each.predict(INPUTS, [asked] * len(INPUTS))
                with pytest.raises(ConfigurationError, match=message):
                    each.score(case.tasks[1], task=asked)
                with pytest.raises(ConfigurationError, match=message):
                    each.forget(asked)
                with pytest.raises(ConfigurationError, match=message):
                    each.relearn(case.tasks[1], task=asked)
        assert equal(learner.state_dict(), loaded.state_dict())

    def test_it_is_never_inferred_and_others_are_as_if_it_had_not_been_there(self, case):
        learner = three(case)
        if learner.scenarios == ("task",):
            pytest.skip("the task must be known")
        for gone in (0, 2):
            learner.forget(gone)
            prediction = learner.predict(INPUTS)
            assert gone not in prediction.task
        assert prediction.task.tolist() == [1] * len(INPUTS)
        assert torch.equal(prediction.outputs, learner.predict(INPUTS, 1).outputs)
        assert learner.predict(INPUTS[:0]).outputs.shape[0] == 0

    def test_learning_goes_on_after_it(self, case, tmp_path):
        """The new task gets the next number, and may have the name; stopped, it goes on from a file."""
        learner = three(case)
        learner.forget(1)
        learner.save(tmp_path / "learner.safetensors")
        stopped = case.load(tmp_path / "learner.safetensors", 3)
        learner.learn(case.tasks[1])
        assert [task.forgotten for task in learner.tasks] == [False, True, False, False]
        assert torch.equal(learner.predict(INPUTS, "task 1").outputs, learner.predict(INPUTS, 3).outputs)
        with pytest.raises(Stopped):
            stopped.learn(case.tasks[1], monitor=stop_at(2))
        stopped.save(tmp_path / "stopped.safetensors")
        resumed = case.load(tmp_path / "stopped.safetensors", 3)
        resumed.learn(case.tasks[1])
        assert equal(resumed.state_dict(), learner.state_dict())

    def test_all_can_be_forgotten(self, case):
        learner = three(case)
        for number in range(3):
            learner.forget(number)
        with pytest.raises(ConfigurationError, match="nothing to predict yet"):
            learner.predict(INPUTS)
        learner.learn(case.tasks[0])
        assert learner.predict(INPUTS, 3).outputs.isfinite().all()

    def test_amid_a_task_nothing_is_forgotten(self, case):
        learner = case.make()
        learner.learn(case.tasks[0])
        with pytest.raises(Stopped):
            learner.learn(case.tasks[1], monitor=stop_at(1))
        with pytest.raises(ConfigurationError, match=r"'task 1' is in progress: finish it, or abandon\(\) it"):
            learner.forget(0)

    def test_a_failure_forgets_nothing(self, case):
        learner = three(case)
        part = learner._parts
        forget = part.forget_task

        def broken(task: int) -> None:
            forget(task)
            raise ArithmeticError

        part.forget_task = broken
        with pytest.raises(ArithmeticError):
            learner.forget(1)
        del part.forget_task
        assert equal(learner.state_dict(), case.learned.states[3])
        assert equal(answers(learner, case.tasks), case.learned.answers[3])


@pytest.mark.parametrize("case", [case for case in ONE_EACH if not case.kind.relearns], ids=str)
def test_methods_that_have_no_place_for_it_say_which_have(case):
    learner, state = case.make(), None
    learner.learn(case.tasks[0])
    state = snapshot(learner.state_dict())
    for attempt in (lambda: learner.relearn(case.tasks[0]), lambda: learner.learn(case.tasks[0], if_known="relearn")):
        with pytest.raises(
            ConfigurationError, match=rf"{case.kind.__name__} cannot learn more of .*HypernetworkLearner"
        ):
            attempt()
    with pytest.raises(ConfigurationError, match=rf"a {case.kind.__name__} cannot forget one task.*SeparateLearner"):
        learner.forget(0)
    assert equal(learner.state_dict(), state)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_a_task_that_comes_again_is_new_or_refused_as_asked(case):
    learner = case.make()
    learner.learn(case.tasks[0], if_known="refuse")
    state = snapshot(learner.state_dict())
    with pytest.raises(ConfigurationError, match=r"task 'task 0' was learned already.*relearn.*if_known='new'"):
        learner.learn(case.tasks[0], if_known="refuse")
    with pytest.raises(ConfigurationError, match="if_known must be 'new', 'relearn' or 'refuse', not 'old'"):
        learner.learn(case.tasks[0], if_known="old")
    assert equal(learner.state_dict(), state)
    learner.learn(case.tasks[0])
    assert [task.name for task in learner.tasks] == ["task 0", "task 0"]


@pytest.mark.parametrize("case", [case for case in ONE_EACH if case.kind.relearns], ids=str)
def test_a_task_that_comes_again_is_recognized_as_asked(case):
    learner, other = case.make(), case.make()
    for each, given in itertools.product((learner, other), case.tasks[:2]):
        each.learn(given, if_known="relearn")
    assert learner.num_tasks == 2
    learner.learn(more(case, 0), if_known="relearn")
    other.relearn(more(case, 0), task=0)
    assert equal(learner.state_dict(), other.state_dict())


@pytest.mark.parametrize("model", ["gan", "vae"])
def test_a_replay_model_of_a_hypernetwork_goes_back_to_a_task_and_forgets_it(model, tmp_path):
    """Whatever it is: with priors of its classes too, amid a task from a file, and abandoned."""
    case = next(case for case in ONE_EACH if case.method.name == "hnet-tir")
    replay = {"model": {**SMALL, "kind": model, **({"prior": "class"} if model == "vae" else {})}}
    settings = {**case.settings.model_dump(exclude={"replay"}), "replay": replay}
    learner = three(case, settings=settings)
    state = snapshot(learner.state_dict())
    before = [learner.replay(number, 4) for number in range(3)]
    with pytest.raises(Stopped):
        learner.relearn(more(case, 1), monitor=stop_at(2))
    learner.save(tmp_path / "learner.safetensors")
    resumed, abandoned = (case.load(tmp_path / "learner.safetensors", 3) for _ in range(2))
    abandoned.abandon()
    assert equal(abandoned.state_dict(), state)
    for each in (learner, resumed):
        each.relearn(more(case, 1))
    assert equal(learner.state_dict(), resumed.state_dict())
    assert not torch.equal(learner.replay(1, 4), before[1])
    abandoned.forget(0)
    assert torch.equal(abandoned.replay(2, 4), before[2])
    with pytest.raises(ConfigurationError, match="task 0 was forgotten, so it cannot be replayed"):
        abandoned.replay(0, 4)
    abandoned.learn(case.tasks[0])
    assert abandoned.replay(3, 4).isfinite().all()


def test_a_replay_model_that_replays_itself_cannot():
    case = next(case for case in ONE_EACH if case.method.name == "hnet-tir")
    replay = {"model": {"kind": "self-replaying-vae", "latent_dim": 2, "encoder_hidden": (6,), "decoder_hidden": (6,)}}
    learner = case.make(settings={**case.settings.model_dump(exclude={"replay"}), "replay": replay})
    learner.learn(case.tasks[0])
    for attempt in (lambda: learner.relearn(case.tasks[0]), lambda: learner.forget(0)):
        with pytest.raises(ConfigurationError, match="a TaskInferenceLearner cannot"):
            attempt()
