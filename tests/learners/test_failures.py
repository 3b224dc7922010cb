"""What ends learning but a stop on purpose undoes the task; and a task in progress goes on with its own examples."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.learners import ContinualLearner
from hypermnesia.learners.state import same_tensors
from hypermnesia.tasks import TensorExamples
from hypermnesia.training.part import Part
from tests.methods import COUNT, FEATURES, ONE_EACH, Case, answers, network
from tests.nested import equal
from tests.stopping import Stopped, stop_at

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request) -> Case:
    """Each method."""
    return request.param


class BrokenError(Exception):
    """What goes wrong."""


class Fragile(nn.Module):
    """A network that breaks when all copies together have been called so often."""

    calls_left = 10**9

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        Fragile.calls_left -= 1
        if Fragile.calls_left < 0:
            raise BrokenError
        return self.network(inputs)


class Examples(Dataset):
    """The second task's, of which one breaks when it was read so often."""

    def __init__(self, case: Case, reads_left: int = 10**9, error: type[BaseException] = BrokenError):
        self.inputs, self.labels = next(case.tasks[1].train.in_order(COUNT))
        self.reads_left, self.error = reads_left, error

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int):
        if index == 3:
            self.reads_left -= 1
            if self.reads_left == -1:
                raise self.error
        return self.inputs[index], self.labels[index]


def parts(learner: ContinualLearner) -> Iterator[Part]:
    """All parts, also those that parts are made of."""
    todo: list[Part] = [learner._parts]
    while todo:
        part = todo.pop()
        yield part
        inner = [*getattr(part, "_parts", {}).values(), getattr(part, "_made", None)]
        todo += [each for each in inner if isinstance(each, Part)]


def learned(case: Case, **arguments: Any) -> ContinualLearner:
    learner = case.make(**arguments)
    learner.learn(case.tasks[0])
    return learner


def check_as_before(learner: ContinualLearner, case: Case, state: dict[str, Any], next_task: bool = True) -> None:
    """It is exactly as after the first task, and learns the next one as if nothing had happened."""
    assert (learner.in_progress, learner.num_tasks) == (None, 1)
    assert equal(learner.state_dict(), state)
    assert equal(answers(learner, case.tasks), case.learned.answers[1])
    if next_task:
        learner.learn(case.tasks[1])
        assert equal(learner.state_dict(), case.learned.states[2])


def fail(*_: Any, **__: Any) -> None:
    raise BrokenError


def after(method: Callable[..., Any], error: type[BaseException] = BrokenError) -> Callable[..., Any]:
    """The method, which breaks when it has done its work."""

    def broken(*arguments: Any) -> None:
        method(*arguments)
        raise error

    return broken


@pytest.mark.parametrize("calls", [1, 4])
def test_a_module_that_breaks_leaves_the_learner_as_it_was(case, calls):
    Fragile.calls_left = 10**9
    learner = learned(case, module=Fragile())
    state = same_tensors(learner.state_dict())
    before = [tensor.clone() for tensor in tensors(state)]
    Fragile.calls_left = calls
    with pytest.raises(Exception):  # noqa: B017 - some learners say that it is the module's
        learner.learn(case.tasks[1])
    Fragile.calls_left = 10**9
    assert (learner.in_progress, learner.num_tasks) == (None, 1)
    assert all(map(torch.equal, tensors(learner.state_dict()), before))
    learner.learn(case.tasks[1])
    whole = learned(case, module=Fragile())
    whole.learn(case.tasks[1])
    assert equal(learner.state_dict(), whole.state_dict())


def tensors(node: Any) -> list[torch.Tensor]:
    if isinstance(node, torch.Tensor):
        return [node]
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [tensor for value in values for tensor in tensors(value)]


def test_data_that_break_leave_the_learner_as_it_was(case):
    """Wherever in the task: read for the first time, in the last step, or to be kept after it."""
    learner, state, broken = learned(case), case.learned.states[1], 0
    for reads in range(20):
        data = Examples(case, reads)
        try:
            learner.learn(hm.Task.of(data, name="task 1", classes=case.tasks[1].classes))
        except BrokenError:
            broken += 1
            check_as_before(learner, case, state, next_task=False)
        else:
            break
    assert broken > 0
    assert learner.num_tasks == 2


def test_labels_out_of_range_leave_the_learner_as_it_was(case):
    learner = learned(case)
    inputs, labels = next(case.tasks[1].train.in_order(COUNT))
    wrong = [(x, int(y) + 7) for x, y in zip(inputs, labels, strict=True)]
    if case.kind.trained_for_scenario or case.kind is hm.SeparateLearner:
        pytest.skip("its head grows")
    with pytest.raises(Exception):  # noqa: B017 - whatever says so
        learner.learn(DataLoader(wrong, batch_size=5))
    check_as_before(learner, case, case.learned.states[1])


def test_a_monitor_that_breaks_leaves_the_learner_as_it_was(case):
    """After the first step, or after the last."""
    learner = learned(case)
    for iteration in (1, 4):
        with pytest.raises(BrokenError):
            learner.learn(case.tasks[1], monitor=lambda progress, at=iteration: progress.iteration == at and fail())
    check_as_before(learner, case, case.learned.states[1])


def test_parts_that_break_as_a_task_begins_leave_the_learner_as_it_was(case):
    """Before or after their own work, with some parts having begun the task and others not."""
    learner = learned(case)
    number = sum(1 for _ in parts(learner))
    for place in range(number):
        for error in (None, BrokenError, KeyboardInterrupt):
            part = list(parts(learner))[place]
            part.begin_task = fail if error is None else after(part.begin_task, error)
            with pytest.raises(error or BrokenError):
                learner.learn(case.tasks[1])
            del part.begin_task
            check_as_before(learner, case, case.learned.states[1], next_task=False)
    check_as_before(learner, case, case.learned.states[1])


@pytest.mark.slow
def test_parts_that_break_as_a_task_ends_leave_the_learner_as_it_was(case):
    learner = learned(case)
    number = sum(1 for _ in parts(learner))
    for place in range(number):
        for broken in (lambda method: fail, after):
            part = list(parts(learner))[place]
            part.end_task = broken(part.end_task)
            with pytest.raises(BrokenError):
                learner.learn(case.tasks[1])
            # Where a part was made anew meanwhile, the broken one is gone.
            part.__dict__.pop("end_task", None)
            check_as_before(learner, case, case.learned.states[1], next_task=False)
    check_as_before(learner, case, case.learned.states[1])


@pytest.mark.slow
def test_parts_that_break_in_the_first_task_leave_nothing(case):
    for name in ("begin_task", "end_task"):
        learner = case.make()
        for part in list(parts(learner)):
            setattr(part, name, after(getattr(part, name)))
            with pytest.raises(BrokenError):
                learner.learn(case.tasks[0])
            part.__dict__.pop(name, None)
            assert equal(learner.state_dict(), case.learned.states[0])
        learner.learn(case.tasks[0])
        assert equal(learner.state_dict(), case.learned.states[1])


def test_an_objective_that_breaks_leaves_the_learner_as_it_was(case, monkeypatch):
    learner = learned(case)
    with monkeypatch.context() as patched:
        patched.setattr(learner, "_objective", fail)
        with pytest.raises(BrokenError):
            learner.learn(case.tasks[1])
    check_as_before(learner, case, case.learned.states[1])


@pytest.mark.parametrize("end", [Stopped, KeyboardInterrupt, SystemExit])
def test_a_stop_on_purpose_leaves_the_task_in_progress(case, end):
    """Stopped by the monitor, amid reading, and as the task ends; it goes on bit for bit."""
    learner = learned(case)

    def monitor(progress: Any) -> None:
        if progress.iteration == 2:
            raise end

    with pytest.raises(end):
        learner.learn(case.tasks[1], monitor=monitor)
    assert (learner.in_progress, learner.num_tasks) == (2, 1)
    part = next(parts(learner))
    part.end_task = after(part.end_task, end)
    with pytest.raises(end):
        learner.learn(case.tasks[1])
    del part.end_task
    assert (learner.in_progress, learner.num_tasks) == (4, 1)
    learner.learn(case.tasks[1])
    assert equal(learner.state_dict(), case.learned.states[2])


def test_a_stop_amid_reading_leaves_the_task_in_progress(case):
    learner, whole = learned(case), learned(case)
    whole.learn(Examples(case))
    data = Examples(case, error=KeyboardInterrupt)

    def interrupt_once(progress: Any) -> None:
        data.reads_left = 0 if progress.iteration == 1 else data.reads_left

    with pytest.raises(KeyboardInterrupt):
        learner.learn(data, monitor=interrupt_once)
    assert learner.in_progress in (1, 2, 3)
    learner.learn(Examples(case))
    assert equal(learner.state_dict(), whole.state_dict())


def test_what_cannot_be_recognized_again_is_undone(case):
    """Where the data can no longer be read when learning is stopped."""
    learner, data = learned(case), Examples(case)

    def monitor(progress: Any) -> None:
        data.reads_left = 0
        raise KeyboardInterrupt

    with pytest.raises(BrokenError):
        learner.learn(data, monitor=monitor)
    check_as_before(learner, case, case.learned.states[1])


def test_abandoning_a_task_leaves_the_learner_as_it_was(case, tmp_path):
    """Itself, and from a file; where there is nothing to abandon nothing happens."""
    learner = learned(case)
    learner.abandon()
    with pytest.raises(Stopped):
        learner.learn(case.tasks[1], monitor=stop_at(3))
    learner.save(tmp_path / "learner.safetensors")
    for each in (learner, case.load(tmp_path / "learner.safetensors", tasks=1)):
        assert each.in_progress == 3
        each.abandon()
        check_as_before(each, case, case.learned.states[1])


def others(case: Case) -> dict[str, hm.Task]:
    """Tasks that are nearly the second one."""
    inputs, labels = next(case.tasks[1].train.in_order(COUNT))
    changed_input, changed_label = inputs.clone(), labels.clone()
    changed_input[-1, -1] += 1e-6
    changed_label[4] = 1 - changed_label[4]
    classes = case.tasks[1].classes

    def task(inputs: Any, labels: Any, name: str = "task 1", classes: Any = classes) -> hm.Task:
        return hm.Task(name, TensorExamples(inputs, labels), classes=classes)

    return {
        "name": task(inputs, labels, name="task 2"),
        "names of classes": task(inputs, labels, classes=("a", "b", "c")),
        "number of examples": task(inputs[:-1], labels[:-1]),
        "shape of inputs": task(inputs[:, :-1], labels),
        "type of inputs": task(inputs.double(), labels),
        "kind of labels": task(inputs, labels.float(), classes=None),
        "content": task(changed_input, labels),
        "content ": task(inputs, changed_label),
        "content  ": task(inputs.flip(0), labels.flip(0)),
    }


def test_other_examples_than_those_in_progress_are_refused(case, tmp_path):
    stopped = learned(case)
    with pytest.raises(Stopped):
        stopped.learn(case.tasks[1], monitor=stop_at(2))
    stopped.save(tmp_path / "learner.safetensors")
    for learner in (stopped, case.load(tmp_path / "learner.safetensors", tasks=1)):
        for property_, other in others(case).items():
            sentence = rf"'task 1' is in progress, 2 iterations.* another {property_.strip()}\b.*abandon\(\)"
            with pytest.raises(DataError, match=sentence):
                learner.learn(other)
            assert learner.in_progress == 2
        learner.learn(case.tasks[1])
        assert equal(learner.state_dict(), case.learned.states[2])


FORMS: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    "tensors": lambda inputs, labels: (inputs, labels),
    "lists": lambda inputs, labels: (inputs.tolist(), labels.tolist()),
    "dataset": lambda inputs, labels: TensorDataset(inputs, labels),
    "dataset of one's own": lambda inputs, labels: list_dataset(inputs, labels),
    "shuffled loader": lambda inputs, labels: DataLoader(TensorDataset(inputs, labels), batch_size=5, shuffle=True),
    "loader of a list": lambda inputs, labels: DataLoader(list(zip(inputs, labels, strict=True)), batch_size=5),
}


def list_dataset(inputs: torch.Tensor, labels: torch.Tensor) -> Dataset:
    case = Examples(ONE_EACH[0])
    case.inputs, case.labels = inputs, labels
    return case


@pytest.mark.parametrize("form", FORMS)
def test_the_same_examples_are_recognized_in_whatever_form_and_others_are_not(form):
    """A second object of the same content is the same; one changed number is not."""
    case = next(case for case in ONE_EACH if case.method.name == "hnet")
    inputs, labels = next(case.tasks[1].train.in_order(COUNT))
    learner = learned(case)
    with pytest.raises(Stopped):
        learner.learn(FORMS[form](inputs, labels), monitor=stop_at(2))
    other = inputs.clone()
    other[0, 0] += 1
    with pytest.raises(DataError, match="another content"):
        learner.learn(FORMS[form](other, labels))
    with pytest.raises(DataError, match="another content"):
        learner.learn(FORMS[form](inputs, labels.flip(0)))
    learner.learn(FORMS[form](inputs.clone(), labels.clone()))
    assert learner.num_tasks == 2


def test_examples_that_were_changed_in_place_are_others():
    case = ONE_EACH[0]
    inputs, labels = (part.clone() for part in next(case.tasks[1].train.in_order(COUNT)))
    learner = learned(case)
    with pytest.raises(Stopped):
        learner.learn((inputs, labels), monitor=stop_at(2))
    labels[0] = 1 - labels[0]
    with pytest.raises(DataError, match="another content"):
        learner.learn((inputs, labels))


def test_an_adaptation_that_breaks_is_undone_and_one_that_is_stopped_is_not_finished_otherwise():
    case = next(case for case in ONE_EACH if case.method.name == "hnet")
    learner = learned(case)

    def monitor(progress: Any) -> None:
        raise BrokenError

    with pytest.raises(BrokenError):
        learner.adapt(case.tasks[1], monitor=monitor)
    assert equal(learner.state_dict(), case.learned.states[1])
    with pytest.raises(Stopped):
        learner.adapt(case.tasks[1], monitor=stop_at(2))
    with pytest.raises(ConfigurationError, match=r"begun by adapt\(…\).*abandon\(\)"):
        learner.learn(case.tasks[1])
    with pytest.raises(DataError, match="another name"):
        learner.adapt(case.tasks[2])
    learner.abandon()
    check_as_before(learner, case, case.learned.states[1])


def test_a_stopped_learner_holds_no_data():
    case = ONE_EACH[0]
    learner = learned(case)
    data = Examples(case)
    with pytest.raises(Stopped):
        learner.learn(data, monitor=stop_at(2))
    assert data not in references(learner)
    assert learner.predict(torch.rand(2, FEATURES), 1).outputs.shape[0] == 2


def references(node: Any, seen: set[int] | None = None) -> list[Any]:
    """All objects that an object holds in its attributes, dicts and lists."""
    seen = set() if seen is None else seen
    if id(node) in seen or isinstance(node, (str, int, float, torch.Tensor)):
        return []
    seen.add(id(node))
    inner = [*vars(node).values()] if hasattr(node, "__dict__") else []
    inner += list(node.values()) if isinstance(node, dict) else list(node) if isinstance(node, (list, tuple)) else []
    return [node, *(found for each in inner for found in references(each, seen))]


def test_ctrl_c_amid_a_step_waits_for_its_end_and_learning_goes_on_bit_for_bit(case):
    """Wherever in the step it comes: before the forward pass, or after the optimizer's step."""
    learner = learned(case)
    for place in ("prepare", "add_gradients"):
        objective = learner._objective

        def interrupting(made: Any = objective, place: str = place) -> Any:
            found = made()
            method = getattr(found, place)

            def interrupted(*arguments: Any) -> Any:
                signal.raise_signal(signal.SIGINT)
                return method(*arguments)

            setattr(found, place, interrupted)
            return found

        learner._objective = interrupting
        before = learner.in_progress or 0
        with pytest.raises(KeyboardInterrupt):
            learner.learn(case.tasks[1])
        del learner._objective
        assert learner.in_progress == before + 1
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    learner.learn(case.tasks[1])
    assert equal(learner.state_dict(), case.learned.states[2])


def test_nothing_changes_a_learner_while_it_learns(case):
    learner = learned(case)
    attempts = [lambda: learner.learn(case.tasks[2]), learner.abandon, lambda: learner.load_state_dict({})]
    for attempt in attempts:
        said = []

        def monitor(progress: Any, attempt: Callable[[], None] = attempt, said: list[str] = said) -> None:
            with pytest.raises(ConfigurationError, match=r"'task 1' is being learned at this moment.*StopLearning"):
                attempt()
            said.append("refused")

        learner.learn(case.tasks[1], monitor=monitor)
        assert len(said) == 4
        assert equal(learner.state_dict(), case.learned.states[2])
        learner.load_state_dict(case.learned.states[1])
        learner.recall(case.tasks[:1])
