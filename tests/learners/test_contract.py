"""What every learner does, asked of each registered method in each scenario and problem that it answers in."""

import copy
import pickle
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.data import DataLoader, TensorDataset

import hypermnesia as hm
from hypermnesia.criteria import USUAL, MeanSquaredError
from hypermnesia.errors import CheckpointError, ConfigurationError, DataError, DivergenceError
from hypermnesia.learners import METHODS, ContinualLearner, load, score
from hypermnesia.training.checkpoint import read_state, write_state
from tests.methods import CASES, CLASSES, COUNT, FEATURES, ONE_EACH, OUTPUTS, TRAINING, Case, answers, network, tasks
from tests.nested import equal, snapshot
from tests.stopping import Stopped, stop_at


@pytest.fixture(params=CASES, ids=str)
def case(request) -> Case:
    """Each method in each scenario and problem."""
    return request.param


pytestmark = pytest.mark.usefixtures("unchecked")
"""Types and shapes are checked by the tests of each learner; here that would take most of the time."""
one_each = pytest.mark.parametrize("case", ONE_EACH, ids=str)


def is_as(learner: ContinualLearner, case: Case, number: int) -> bool:
    """Whether a learner is, bit for bit, what it is after so many tasks."""
    learned = case.learned
    return equal(learner.state_dict(), learned.states[number]) and equal(
        answers(learner, case.tasks), learned.answers[number]
    )


def diverge(learner: ContinualLearner, task: hm.Task) -> None:
    """Let a task fail, of which nothing may be left."""

    def spoil(_: object) -> NoReturn:
        raise DivergenceError("the loss became nan")

    if learner.in_progress is None:
        sane = learner.training
        learner.training = sane.model_copy(update={"learning_rate": 1e38})
        with pytest.raises(DivergenceError, match=r"loss became (nan|inf).*learning_rate"):
            learner.learn(task)
        learner.training = sane
    else:  # its settings of training can no longer be changed
        with pytest.raises(DivergenceError):
            learner.learn(task, monitor=spoil)
    assert learner.in_progress is None


def examples(task: hm.Task) -> tuple[torch.Tensor, torch.Tensor]:
    return next(task.train.in_order(COUNT))


def test_every_case_is_there():
    assert {case.method.name for case in CASES} == set(METHODS)
    assert {case.method.name for case in ONE_EACH} == set(METHODS)
    for name, method in METHODS.items():
        assert method.name == name
        of_method = [case for case in CASES if case.method is method and case.labels == "classes"]
        assert {scenario for case in of_method for scenario in case.make().scenarios} == set(method.scenarios)


def test_tasks_are_known_by_number_and_name(case):
    learner = case.learned.learner
    assert (learner.num_tasks, learner.in_progress, learner.criterion) == (3, None, USUAL[case.labels])
    assert [task.name for task in learner.tasks] == [task.name for task in case.tasks]
    assert [task.classes for task in learner.tasks] == [task.classes for task in case.tasks]
    assert learner.num_weights > 0
    assert learner.memory_bytes > 0
    assert learner.compression == learner.num_weights / sum(p.numel() for p in network().parameters())
    for number, task in enumerate(case.tasks):
        inputs, _ = examples(task)
        by_number, by_name = learner.predict(inputs, number), learner.predict(inputs, task=task.name)
        assert torch.equal(by_number.outputs, by_name.outputs)
        assert by_number.task.tolist() == [number] * COUNT
        assert by_number.certainty.tolist() == [1.0] * COUNT


def test_classes_are_told_where_the_task_is_known(case):
    learner = case.learned.learner
    for number, task in enumerate(case.tasks):
        prediction = learner.predict(examples(task)[0], number)
        if case.labels == "numbers":
            assert prediction.values.shape == (COUNT, OUTPUTS)
            continue
        classes = CLASSES[number]
        assert learner.tasks[number].outputs == classes
        assert prediction.probabilities.shape[1] == classes  # however many outputs the network has
        assert torch.equal(prediction.labels, prediction.probabilities.argmax(1))
        torch.testing.assert_close(prediction.probabilities.sum(1), torch.ones(COUNT))
        assert torch.equal(prediction.classes, sum(CLASSES[:number]) + prediction.labels)
        assert prediction.names == [f"{number}-{label}" for label in prediction.labels.tolist()]


def test_classes_are_told_where_the_task_is_inferred(case):
    learner = case.learned.learner
    inputs = torch.cat([examples(task)[0] for task in case.tasks])
    if learner.scenarios == ("task",):
        with pytest.raises(ConfigurationError, match=r"say which task.*predict\(inputs, task=0\)"):
            learner.predict(inputs)
        return
    prediction = learner.predict(inputs)
    assert len(prediction.outputs) == 3 * COUNT
    if prediction.task is None:
        assert prediction.certainty is None
        assert learner.scenarios == ("domain",)
        if case.labels == "classes":
            with pytest.raises(ConfigurationError, match=r"answers without a task.*prediction\.labels"):
                _ = prediction.classes
    else:
        assert ((prediction.task >= 0) & (prediction.task < 3)).all()
        assert ((prediction.certainty > 0) & (prediction.certainty <= 1 + 1e-6)).all()
    if case.labels == "numbers":
        assert prediction.values.shape == (3 * COUNT, OUTPUTS)
        return
    assert torch.equal(prediction.labels, prediction.probabilities.argmax(1))
    torch.testing.assert_close(prediction.probabilities.sum(1), torch.ones(3 * COUNT))
    assert prediction.labels.min() >= 0
    assert prediction.labels.max() < max(CLASSES)
    if prediction.task is not None:
        offsets = torch.tensor([0, 2, 5])[prediction.task]
        assert torch.equal(prediction.classes, offsets + prediction.labels)
        assert (prediction.labels < torch.tensor(CLASSES)[prediction.task]).all()
        answered = zip(prediction.task.tolist(), prediction.labels.tolist(), strict=True)
        assert prediction.names == [f"{task}-{label}" for task, label in answered]


def test_a_score_is_the_mean_over_examples(case):
    learner = case.learned.learner
    for number, task in enumerate(case.tasks):
        inputs, targets = examples(task)
        for scenario in learner.scenarios:
            prediction = learner.predict(inputs, number if scenario == "task" else None)
            if case.labels == "numbers":
                merit = (prediction.values - targets).square().mean(1)
            else:
                merit = (prediction.labels == targets).float()
                merit = merit * (prediction.task == number) if scenario == "class" else merit
            found = learner.score(task, scenario=scenario)
            assert found == pytest.approx(merit.mean().item(), rel=1e-5, abs=1e-6)
            assert learner.score((inputs, targets), task=number, scenario=scenario) == found
            assert score(learner, task.test, number, (scenario,)).value == {scenario: found}
        assert learner.score(task, task=task.name) == learner.score(task, scenario=learner.scenarios[0])


def test_a_task_that_diverges_is_undone(case):
    learner = case.make()
    learner.learn(case.tasks[0])
    diverge(learner, case.tasks[1])
    assert is_as(learner, case, 1)
    learner.learn(case.tasks[1])
    assert is_as(learner, case, 2)


@pytest.mark.slow
def test_a_first_task_that_diverges_leaves_nothing(case):
    """Not even the shape of its inputs."""
    learner = case.make()
    inputs, targets = examples(case.tasks[0])
    diverge(learner, hm.Task.of((inputs.view(COUNT, 2, 4), targets)))
    assert equal(learner.state_dict(), case.learned.states[0])
    with pytest.raises(ConfigurationError, match="learn a task first"):
        learner.predict(inputs)
    learner.learn(case.tasks[0])
    assert is_as(learner, case, 1)


def test_a_learner_that_is_stopped_amid_a_task_goes_on_bit_for_bit(case, tmp_path):
    """Itself, from a file, and from its state; asking in between changes nothing."""
    stopped, other = case.make(), case.make()
    stopped.learn(case.tasks[0])
    with pytest.raises(Stopped):
        stopped.learn(case.tasks[1], monitor=stop_at(2))
    stopped.save(tmp_path / "learner.safetensors")
    resumed, failing = (case.load(tmp_path / "learner.safetensors", tasks=1) for _ in range(2))
    other.load_state_dict(stopped.state_dict())
    other.recall(case.tasks[:1])
    for each in (stopped, resumed, other):  # the one whose state was taken over goes first
        assert (each.in_progress, each.num_tasks) == (2, 1)
        assert "learning 'task 1'" in repr(each)
        assert len(each.predict(examples(case.tasks[1])[0], task="task 1").outputs) == COUNT
        each.learn(case.tasks[1])
        assert is_as(each, case, 2)
    diverge(failing, case.tasks[1])
    assert is_as(failing, case, 1)


def test_a_file_holds_all_of_a_learner(case, tmp_path):
    learner = case.learned.learner
    learner.save(tmp_path / "learner.safetensors")
    one, other = case.load(tmp_path / "learner.safetensors", 3), load(tmp_path / "learner.safetensors", network(9))
    other.recall(case.tasks)
    for loaded in (one, other):
        assert type(loaded) is case.kind
        assert is_as(loaded, case, 3)
        for of in ("settings", "training", "seeds", "tasks", "criterion", "scenarios", "num_weights", "memory_bytes"):
            assert getattr(loaded, of) == getattr(learner, of), of
        assert repr(loaded).split(" on ")[0] == repr(learner).split(" on ")[0]
    assert [file.name for file in tmp_path.iterdir()] == ["learner.safetensors"]
    if case.method.learner.trained_for_scenario:
        assert one.scenario == case.scenario


def test_a_loaded_learner_learns_on_as_the_one_that_was_saved(case, tmp_path):
    learner = case.make()
    for task in case.tasks[:2]:
        learner.learn(task)
    learner.save(tmp_path / "learner.safetensors")
    loaded = case.load(tmp_path / "learner.safetensors", tasks=2)
    loaded.learn(case.tasks[2])
    assert is_as(loaded, case, 3)


@one_each
def test_the_order_in_which_a_state_names_its_tensors_changes_no_step(case):
    """A file has another order than the learner that wrote it, and sums of floats depend on theirs."""
    training = {**TRAINING, "iterations": 12, "clip_norm": 0.1}  # by a norm over all parameters
    own = {"own": ["*.bias", "5.weight"]} if "own" in type(case.settings).model_fields else {}
    stopped, *others = (
        case.make(module=network(width=20), settings=case.settings.model_copy(update=own), training=training)
        for _ in range(3)
    )
    stopped.learn(case.tasks[0])
    with pytest.raises(Stopped):
        stopped.learn(case.tasks[1], monitor=stop_at(2))
    state = stopped.state_dict()
    for other, order in zip(others, (sorted, backwards), strict=True):
        other.load_state_dict(in_order(state, order))
        other.recall(case.tasks[:1])
    steps = [told_while_learning(learner, case.tasks[1:]) for learner in (stopped, *others)]
    assert steps[1] == steps[0]
    assert steps[2] == steps[0]


def backwards(keys: Iterable[str]) -> list[str]:
    return sorted(keys, reverse=True)


def in_order(node: Any, order: Callable[[Iterable[str]], list[str]]) -> Any:
    """A state whose dicts have their keys in another order."""
    if isinstance(node, dict):
        return {key: in_order(node[key], order) for key in order(node)}
    return [in_order(value, order) for value in node] if isinstance(node, list) else node


def told_while_learning(learner: ContinualLearner, some: Iterable[hm.Task]) -> list[dict[str, float]]:
    """Numbers that a learner tells of each step."""
    steps: list[dict[str, float]] = []
    for task in some:
        learner.learn(
            task, monitor=lambda progress: steps.append({name: float(s) for name, s in progress.scalars.items()})
        )
    return steps


@one_each
def test_files_that_do_not_fit_are_refused(case, tmp_path):
    path = tmp_path / "learner.safetensors"
    case.learned.learner.save(path)
    for kind in {method.learner for method in METHODS.values()} - {case.kind}:
        with pytest.raises(CheckpointError, match=f"holds {case.kind.__name__}, not a {kind.__name__}"):
            kind.load(path, network())
    for read in (case.kind.load, load):
        with pytest.raises(CheckpointError, match=r"is \[6\] here and \[5\] there; give a module of the same arch"):
            read(path, network(width=6))
        with pytest.raises(CheckpointError, match="no file"):
            read(tmp_path / "other.safetensors", network())
    write_state(path, {**read_state(path), "format": 1})
    for read in (case.kind.load, load):
        with pytest.raises(CheckpointError, match=r"another version of hypermnesia.*load it with that version"):
            read(path, network())
    write_state(path, {"something": "else"})
    with pytest.raises(CheckpointError, match=f"holds no learner, not a {case.kind.__name__}"):
        case.kind.load(path, network())
    path.write_text("no safetensors")
    with pytest.raises(CheckpointError, match="damaged or not one"):
        case.kind.load(path, network())


def test_the_seed_decides_everything_and_the_global_random_state_is_left_alone(case):
    torch.manual_seed(123)
    state = torch.random.get_rng_state()
    again, other = case.make(), case.make(seed=1)
    for learner in (again, other):
        learner.learn(case.tasks[0])
    again.learn(case.tasks[1])
    assert is_as(again, case, 2)
    assert not equal(answers(other, case.tasks), case.learned.answers[1])
    assert torch.equal(torch.random.get_rng_state(), state)


@one_each
def test_the_module_is_left_alone(case):
    module = network()
    before = snapshot(dict(module.state_dict()))
    learner = case.make(module=module)
    learner.learn(case.tasks[0])
    assert equal(dict(module.state_dict()), before)


def wrong_sources(case: Case) -> dict[str, tuple[object, str]]:
    """What cannot be learned after a first task, and what is said of it."""
    inputs, targets = examples(case.tasks[1])
    other_problem = targets.long()[:, 0] if case.labels == "numbers" else inputs[:, :OUTPUTS]
    found = {
        "shape": ((inputs[:, :5], targets), r"have shape \[5\], but those of the first task had \[8\]"),
        "labels": ((inputs, other_problem), "regression|are numbers"),
        "empty": ((inputs[:0], targets[:0]), "no"),
        "unequal": ((inputs, targets[:-1]), "14"),
        "no source": ("mnist", "str"),
    }
    if case.labels == "classes":
        found["negative labels"] = ((inputs, -targets), "Labels")
    return found


def test_tasks_that_do_not_fit_are_refused_and_change_nothing(case):
    learner = case.make()
    learner.learn(case.tasks[0])
    for source, message in wrong_sources(case).values():
        with pytest.raises(DataError, match=message):
            learner.learn(source)
        assert learner.in_progress is None
    assert is_as(learner, case, 1)


def test_first_tasks_that_do_not_fit_are_refused_and_change_nothing(case):
    learner = case.make()
    with pytest.raises(DataError, match=r"the module does not take inputs of shape \[n, 5\]"):
        learner.learn((torch.rand(4, 5), examples(case.tasks[0])[1][:4]))
    if MeanSquaredError not in case.kind.learns or case.scenario == "class":
        with pytest.raises(DataError, match=r"is a regression, and the class-incr|by cross-entropy only"):
            learner.learn(tasks("numbers")[0])
    assert equal(learner.state_dict(), case.learned.states[0])


@one_each
def test_labels_beyond_the_outputs_are_refused_unless_there_is_a_growing_head(case):
    learner = case.make()
    inputs, _ = examples(case.tasks[0])
    source = inputs, torch.arange(COUNT) % 4
    if case.kind.trained_for_scenario or case.kind is hm.SeparateLearner:
        learner.learn(source)
        assert learner.predict(inputs, 0).outputs.shape == (COUNT, 4)
        return
    with pytest.raises(DataError, match=r"labels up to 3, but the module has 3 outputs"):
        learner.learn(source)
    assert equal(learner.state_dict(), case.learned.states[0])


def test_questions_that_make_no_sense_are_refused(case):
    inputs, _ = examples(case.tasks[0])
    with pytest.raises(ConfigurationError, match="nothing to predict yet: learn a task first"):
        case.make().predict(inputs)
    learner = case.learned.learner
    for task in (3, -1):
        with pytest.raises(ConfigurationError, match=f"there is no task {task}: 3 tasks were learned, counted from 0"):
            learner.predict(inputs, task)
    with pytest.raises(ConfigurationError, match=r"no task 'tsk 1'\. Did you mean 'task 1'\? Learned: task 0,"):
        learner.predict(inputs, task="tsk 1")
    with pytest.raises(ConfigurationError, match=r"there is no task 'task'"):
        learner.score((inputs, examples(case.tasks[0])[1]))
    with pytest.raises(DataError, match=r"shape \[n, 8\] as in learning, not \[n, 3\]"):
        learner.predict(torch.zeros(2, 3), 0)
    with pytest.raises(DataError, match="has no test examples"):
        learner.score(hm.Task.of(examples(case.tasks[0]), name="task 0"))
    for scenario in {"task", "domain", "class"} - set(learner.scenarios):
        with pytest.raises(ConfigurationError, match=f"does not answer in the {scenario}-incremental scenario"):
            learner.score(case.tasks[0], scenario=scenario)
    prediction = learner.predict(inputs, 0)
    wrong = ("labels", "probabilities", "classes") if case.labels == "numbers" else ("values",)
    for name in wrong:
        with pytest.raises(ConfigurationError, match=r"(regression|classes).*learned"):
            getattr(prediction, name)


@one_each
def test_no_inputs_have_no_answers(case):
    learner = case.learned.learner
    for task in (0, *([] if learner.scenarios == ("task",) else [None])):
        prediction = learner.predict(torch.zeros(0, FEATURES), task)
        assert prediction.labels.shape == (0,)
        assert prediction.task is None or prediction.task.shape == prediction.certainty.shape == (0,)


@one_each
def test_a_task_may_come_as_arrays_or_lists_a_dataset_or_a_loader(case):
    """The same numbers are the same task, and the same question, whatever holds them."""
    inputs, targets = examples(case.tasks[0])
    reference = case.make()
    reference.learn((inputs, targets))
    asked = reference.predict(inputs, 0).outputs
    arrays, lists = (inputs.numpy(), targets.numpy()), (inputs.tolist(), targets.tolist())
    for source in (arrays, lists, TensorDataset(inputs, targets)):
        learner = case.make()
        learner.learn(source)
        assert equal(learner.state_dict(), reference.state_dict())
    for question in (inputs.numpy(), inputs.tolist()):
        assert torch.equal(reference.predict(question, 0).outputs, asked)
    learner = case.make()
    learner.learn(DataLoader(TensorDataset(inputs, targets), batch_size=4))
    assert learner.num_tasks == 1


@one_each
def test_tasks_of_one_name_are_told_apart_by_number(case):
    learner = case.make()
    for task in case.tasks[:2]:
        learner.learn(examples(task))
    inputs, _ = examples(case.tasks[0])
    with pytest.raises(ConfigurationError, match="2 tasks are called 'task': say which by its number, from 0"):
        learner.predict(inputs, task="task")
    with pytest.raises(ConfigurationError, match=r"classes of task 'task' have no names.*classes=\("):
        _ = learner.predict(inputs, 0).names


def test_a_learner_is_shown_on_one_line(case):
    shown = repr(case.learned.learner)
    assert shown.startswith(f"{case.kind.__name__}(3 tasks, ")
    assert "\n" not in shown
    assert repr(case.make()).startswith(f"{case.kind.__name__}(0 tasks, ")


@one_each
def test_a_learner_says_how_much_it_keeps_for_its_answers(case):
    learner = case.make()
    learner.learn(case.tasks[0])
    assert learner.answer_cache_bytes == 0
    assert "kept for answers" not in repr(learner)
    learner.predict(case.inputs, 0)
    weights = sum(p.numel() * p.element_size() for p in learner.network(0).parameters())
    assert 0 < learner.answer_cache_bytes <= 2 * weights
    assert "KiB kept for answers" in repr(learner) or " B kept for answers" in repr(learner)
    kept = learner.answer_cache_bytes
    learner.learn(case.tasks[1])
    # A network that no other task has a part in is still the same.
    assert learner.answer_cache_bytes == (kept if case.kind in (hm.SeparateLearner, hm.FromScratchLearner) else 0)


@one_each
def test_wrong_arguments_are_explained(case):
    with pytest.raises(ConfigurationError, match=r"iteration: unknown setting\. Did you mean 'iterations'"):
        case.make(training={"iteration": 3})
    with pytest.raises(ConfigurationError, match="auto, cpu, cuda"):
        case.make(device="gpu")
    with pytest.raises(ConfigurationError, match="no device 'cuda:99'"):
        case.make(device="cuda:99")
    if case.kind.trained_for_scenario:
        with pytest.raises(ConfigurationError, match="scenario must be one of task, domain, class, not 'clas'"):
            case.make(scenario="clas")


@one_each
def test_a_module_that_gives_no_row_of_outputs_for_each_input_is_refused(case):
    module = nn.Sequential(nn.Linear(8, 6), nn.Unflatten(1, (2, 3)))
    with pytest.raises((DataError, ConfigurationError), match=r"\[n, outputs\] numbers for n inputs|no nn\.Linear"):
        case.make(module=module).learn(examples(case.tasks[0]))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda learner: pickle.loads(pickle.dumps(learner))], ids=["copy", "pickle"]
)
@one_each
def test_a_copy_is_an_equal_learner_that_learns_on_by_itself(case, copied):
    original = case.make()
    for task in case.tasks[:2]:
        original.learn(task)
    before = snapshot(original.state_dict())
    other = copied(original)
    assert equal(other.state_dict(), before)
    assert equal(answers(other, case.tasks[:2]), answers(original, case.tasks[:2]))
    other.learn(case.tasks[2])
    assert equal(original.state_dict(), before)
    original.learn(case.tasks[2])
    assert equal(other.state_dict(), original.state_dict())


@one_each
def test_what_pytorch_does_not_pickle_is_copied_and_refused_with_what_to_do(case):
    module = nn.Sequential(weight_norm(nn.Linear(FEATURES, 4)), nn.Linear(4, OUTPUTS))
    learner = case.make(module=module)
    for copied in (copy.copy(learner), copy.deepcopy(learner)):
        assert equal(snapshot(copied.state_dict()), snapshot(learner.state_dict()))
    with pytest.raises(
        ConfigurationError, match=r"cannot be pickled, because a part of its module \('0'\).*save\(path"
    ):
        pickle.dumps(learner)


def test_tasks_and_predictions_survive_a_pickle():
    case = ONE_EACH[0]
    learner, task = case.make(), pickle.loads(pickle.dumps(case.tasks[0]))
    learner.learn(task)
    prediction = learner.predict(examples(task)[0], 0)
    again = pickle.loads(pickle.dumps(prediction))
    assert torch.equal(again.labels, prediction.labels)
    assert again.names == prediction.names
