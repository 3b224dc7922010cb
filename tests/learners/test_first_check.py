"""What cannot be learned, or not be kept, is said before the first step; what can be is not refused."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import hypermnesia as hm
from hypermnesia.errors import CheckpointError, ConfigurationError, DataError, HypermnesiaError
from hypermnesia.learners import ContinualLearner
from hypermnesia.modules import resting_parts
from tests.methods import CASES, COUNT, FEATURES, ONE_EACH, OUTPUTS, Case, network, tasks
from tests.nested import equal, snapshot
from tests.zoo import Function

pytestmark = pytest.mark.usefixtures("unchecked")
one_each = pytest.mark.parametrize("case", ONE_EACH, ids=str)
growing = pytest.mark.parametrize(
    "case", [case for case in CASES if case.kind.trained_for_scenario or case.kind is hm.SeparateLearner], ids=str
)

INPUTS, LABELS = torch.rand(COUNT, FEATURES, generator=torch.Generator().manual_seed(0)), torch.arange(COUNT) % OUTPUTS


def is_refused(learner: ContinualLearner, source: object, message: str) -> None:
    """Before the first step, and without a trace."""
    state = snapshot(learner.state_dict())
    with pytest.raises(HypermnesiaError, match=message):
        learner.learn(source, monitor=lambda progress: pytest.fail("something was learned"))
    assert learner.in_progress is None
    assert equal(snapshot(learner.state_dict()), state)


class Answering(nn.Module):
    """Gives what a function makes of the outputs."""

    def __init__(self, answer):
        super().__init__()
        self.head, self.answer = nn.Linear(FEATURES, OUTPUTS), answer

    def forward(self, inputs):
        return self.answer(self, self.head(inputs))


class Changing(nn.Module):
    """Does something to itself or its inputs when it is called."""

    def __init__(self, change):
        super().__init__()
        self.slow = nn.Linear(FEATURES, 4).requires_grad_(False)
        self.body, self.head, self.change = nn.Linear(FEATURES, 4), nn.Linear(4, OUTPUTS), change
        self.register_buffer("mean", None)

    def forward(self, inputs):
        with torch.no_grad():
            self.change(self, inputs)
        return self.head(self.body(inputs) + self.slow(inputs))


def assign_mean(net: nn.Module, inputs: torch.Tensor) -> None:
    net.mean = inputs.mean(0) if net.mean is None else net.mean


CHANGES = {
    "inputs": (lambda net, inputs: inputs.mul_(0.5), "changes its inputs in place"),
    "inputs in training": (lambda net, inputs: inputs.mul_(0.5) if net.training else None, "its inputs in place"),
    "frozen": (lambda net, inputs: net.slow.weight.lerp_(net.body.weight.detach(), 0.1), "frozen parameter 'slow.weig"),
    "frozen data": (lambda net, inputs: net.slow.bias.data.add_(1), "changes its frozen parameter 'slow.bias'"),
    "buffer": (assign_mean, "makes the buffer 'mean' when it is called for the first time"),
    "buffer in use": (lambda net, inputs: None if net.training else assign_mean(net, inputs), "the buffer 'mean'"),
}


@one_each
@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_a_module_that_changes_what_is_not_its_own_is_refused(case, change, message):
    """Neither the learner nor the examples keep anything of the trial."""
    inputs = INPUTS.clone()
    is_refused(case.make(module=Changing(change)), (inputs, LABELS), message)
    assert torch.equal(inputs, INPUTS)


@one_each
def test_weights_that_a_module_bounds_itself_are_learned_or_refused_without_a_trace(case):
    """Generated weights are views of one vector, in which PyTorch lets nothing be changed in place."""
    learner = case.make(module=Changing(lambda net, inputs: net.body.weight.clamp_(-0.1, 0.1)))
    if hasattr(learner, "hypernetwork") or case.kind is hm.FromScratchLearner:
        is_refused(learner, (INPUTS, LABELS), "tried on 2 of its examples, it ended with RuntimeError")
    else:
        learner.learn((INPUTS, LABELS))
        assert learner.num_tasks == 1


def test_a_module_that_is_frozen_as_a_whole_has_a_head_to_learn_or_nothing_to_generate():
    """As a linear probe."""
    learner = hm.EWCLearner(network().requires_grad_(False), training={"iterations": 2})
    for _ in range(2):
        learner.learn((INPUTS, LABELS))
    assert learner.num_tasks == 2
    with pytest.raises(ConfigurationError, match="every parameter is frozen"):
        hm.HypernetworkLearner(network().requires_grad_(False))


ANSWERS = {
    "tuple": (lambda net, outputs: (None, outputs), "not a NoneType: wrap it"),
    "dict": (lambda net, outputs: {"one": outputs, "two": outputs}, "not a dict of one, two: wrap it"),
    "auxiliary": (lambda net, outputs: (outputs, 0) if net.training else outputs, "not a tuple in training mode"),
    "none": (lambda net, outputs: None, "not a NoneType"),
    "images": (lambda net, outputs: outputs[:, :, None], r"not \[2, 3, 1\] for 2"),
    "one row": (lambda net, outputs: outputs.mean(0, keepdim=True), r"not \[1, 3\] for 2"),
    "integers": (lambda net, outputs: outputs.argmax(1, keepdim=True), "not torch.int64"),
    "complex": (lambda net, outputs: torch.complex(outputs, outputs), "not torch.complex64"),
}


@one_each
@pytest.mark.parametrize(("answer", "message"), ANSWERS.values(), ids=ANSWERS)
def test_a_module_that_gives_no_row_of_real_numbers_is_refused(case, answer, message):
    is_refused(case.make(module=Answering(answer)), (INPUTS, LABELS), message)


@one_each
def test_what_a_method_needs_in_the_end_is_tried_at_the_start(case):
    """Whatever raises, in whichever call and mode."""

    def fragile(net, outputs):
        if net.training and torch.is_grad_enabled():
            raise ZeroDivisionError("amid training")
        return outputs

    is_refused(
        case.make(module=Answering(fragile)),
        (INPUTS, LABELS),
        r"tried on 2 of its examples, it ended with ZeroDivisionError: amid training",
    )


def test_what_ewc_needs_in_the_end_is_tried_at_the_start():
    """Normalized by the batch also in use, an example alone has no answer."""
    module = nn.Sequential(nn.Linear(FEATURES, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, OUTPUTS))
    is_refused(hm.EWCLearner(module), (INPUTS, LABELS), "Fisher information needs the gradient of each example")
    hm.SILearner(module, training={"iterations": 2}).learn((INPUTS, LABELS))


@one_each
def test_a_module_is_asked_when_a_learner_is_made(case):
    for module, message in (
        (len, "must be a torch.nn.Module"),
        (nn.Linear, "not its class"),
        (nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, OUTPUTS)), r"parameter '0\.weight' has no shape yet"),
        (nn.Sequential(nn.Linear(FEATURES, 4, device="meta"), nn.Linear(4, OUTPUTS)), "device 'meta'"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            case.make(module=module)


class Patched(nn.Module):
    """Its forward belongs to another object, as after `module.forward = other.forward`."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(FEATURES, OUTPUTS)
        other = nn.Linear(FEATURES, OUTPUTS)
        self.forward = lambda inputs: other(inputs) + 0 * self.body(inputs)


@pytest.mark.parametrize("kind", [hm.HypernetworkLearner, hm.EWCLearner, hm.FromScratchLearner])
def test_a_module_that_takes_no_notice_of_given_weights_is_refused(kind):
    learner = kind(Patched(), **({} if kind is hm.EWCLearner else {"chunk_size": 10, "hidden": (4,)}))
    is_refused(learner, (INPUTS, LABELS), "does not compute with the weights that it is given|has no nn.Linear")


@growing
def test_labels_with_gaps_are_refused_where_a_head_grows(case):
    if case.labels != "classes":
        return
    learner = case.make()
    for labels in (LABELS + 1, 2 * LABELS, torch.where(LABELS == 0, 200_000, LABELS), torch.full((COUNT,), 4)):
        is_refused(learner, (INPUTS, labels), r"no example of class .*: labels count from 0 within a task")
        is_refused(learner, TensorDataset(INPUTS, labels), r"no example of class .*: labels count from 0")
    # Named, all classes are there on purpose.
    learner.learn(hm.Task.of((INPUTS, 2 * LABELS), classes=("a", "b", "c", "d", "e")))
    assert learner.predict(INPUTS, 0).outputs.shape[1] == 5
    if case.scenario == "domain":  # where outputs are shared, others have filled the gaps
        learner.learn((INPUTS, torch.full((COUNT,), 4)))


def test_classes_written_as_rows_are_refused():
    rows = nn.functional.one_hot(LABELS).float()
    for kind in (hm.HypernetworkLearner, hm.FineTuningLearner):
        settings = {"scenario": "task"} if kind is hm.FineTuningLearner else {"chunk_size": 10, "hidden": (4,)}
        learner = kind(nn.Linear(FEATURES, OUTPUTS), training={"iterations": 2}, **settings)
        is_refused(learner, (INPUTS, rows), r"give the numbers of the classes, as in labels\.argmax\(1\)")
        learner.learn((INPUTS, 0.9 * rows))


@one_each
def test_inputs_that_are_no_numbers_are_named(case):
    for bad in (float("nan"), float("inf")):
        inputs = INPUTS.clone()
        inputs[3, 2] = bad
        is_refused(case.make(), (inputs, LABELS), r"example 3, counted from 0|are not all finite numbers")


def test_a_module_may_know_what_to_do_with_missing_numbers():
    inputs = INPUTS.clone()
    inputs[3, 2] = float("nan")
    module = Function(lambda net, x: net.head(x.nan_to_num()), head=nn.Linear(FEATURES, OUTPUTS))
    learner = hm.FineTuningLearner(module, training={"iterations": 3})
    learner.learn((inputs, LABELS))
    assert learner.num_tasks == 1


@pytest.mark.parametrize("make", [lambda x, y: (x, y), lambda x, y: TensorDataset(x, y)], ids=["tensors", "dataset"])
@pytest.mark.parametrize("case", [case for case in CASES if case.labels == "numbers"], ids=str)
def test_targets_that_are_no_numbers_are_named(case, make):
    targets = torch.rand(COUNT, OUTPUTS)
    targets[0, 1] = float("nan")
    with pytest.raises(DataError, match=r"Labels must be finite numbers, but example 0, counted from 0, has"):
        case.make().learn(make(INPUTS, targets))


@one_each
def test_a_last_batch_that_batch_normalization_cannot_take_is_refused(case):
    """The network has one; of 15 examples in batches of 7 one is left over."""
    data = TensorDataset(INPUTS, LABELS)
    if case.kind is hm.JointLearner:  # makes batches of the examples of all tasks itself
        case.make().learn(DataLoader(data, batch_size=7))
        return
    is_refused(case.make(), DataLoader(data, batch_size=7), r"last batch of a single example.*drop_last=True")
    case.make().learn(DataLoader(data, batch_size=6))
    case.make().learn(DataLoader(data, batch_size=7, drop_last=True))


@one_each
def test_batches_of_one_that_batch_normalization_cannot_take_are_refused(case):
    learner = case.make(training={"iterations": 3, "batch_size": 1})
    is_refused(learner, (INPUTS, LABELS), r"more than 1 value per channel.*raise training\.batch_size")


class Sequences(Dataset):
    """Of lengths 4 to 10, in batches as long as their longest."""

    def __len__(self):
        return 24

    def __getitem__(self, number):
        generator = torch.Generator().manual_seed(number)
        return torch.rand(4 + number % 7, 3, generator=generator) / 2 + number % 2 / 2, number % 2

    @staticmethod
    def loader() -> DataLoader:
        def pad(items):
            inputs, labels = zip(*items, strict=True)
            return nn.utils.rnn.pad_sequence(list(inputs), batch_first=True), torch.tensor(labels)

        return DataLoader(Sequences(), batch_size=8, collate_fn=pad)


def gated() -> nn.Module:
    body, head = nn.GRU(3, 6, batch_first=True), nn.Linear(6, OUTPUTS)
    return Function(lambda net, inputs: net.head(net.body(inputs)[1][0]), body=body, head=head)


@one_each
def test_inputs_of_any_length_are_learned_and_asked_or_refused(case):
    learner = case.make(module=gated())
    if case.kind.needs_one_shape:
        is_refused(learner, Sequences.loader(), "different shapes|single pixel|imitated")
        return
    learner.learn(Sequences.loader())
    longer = torch.rand(5, 13, 3)
    learner.learn((longer, torch.arange(5) % 2))
    for length in (2, 4, 13):
        inputs = torch.rand(2, length, 3)
        answer = learner.predict(inputs, 0)
        assert torch.equal(learner.predict(inputs.numpy(), 0).outputs, answer.outputs)
    assert 0 <= learner.score(Sequences.loader(), task=0) <= 1
    for wrong in (torch.rand(2, 4, 5), torch.rand(2, 4), torch.rand(2, 4, 3, 1)):
        with pytest.raises(DataError, match=r"inputs must have shape \[n, 4, 3\] as in learning, not "):
            learner.predict(wrong, 0)


HEADS = {
    "declared first": lambda: Function(
        lambda net, x: net.head(net.body(x).relu()), head=nn.Linear(6, OUTPUTS), body=nn.Linear(FEATURES, 6)
    ),
    "before a softmax": lambda: nn.Sequential(nn.Linear(FEATURES, 3), nn.Linear(3, 3), nn.LogSoftmax(1)),
    "beside a layer unused": lambda: Function(
        lambda net, x: net.head(x), head=nn.Linear(FEATURES, OUTPUTS), later=nn.Linear(5, 5)
    ),
}


@pytest.mark.slow
@growing
@pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
def test_the_head_may_stand_anywhere(case, make, tmp_path):
    learner = case.make(module=make())
    for task in case.tasks[:2]:
        learner.learn(task)
    inputs, _ = next(case.tasks[0].train.in_order(COUNT))
    asked = learner.predict(inputs, 0).outputs
    assert asked.shape[1] == case.tasks[0].num_outputs or case.scenario == "domain"
    learner.save(tmp_path / "learner.safetensors")
    loaded = case.kind.load(tmp_path / "learner.safetensors", make())
    assert torch.equal(loaded.predict(inputs, 0).outputs, asked)
    loaded.recall(case.tasks[:2])
    loaded.learn(case.tasks[2])
    learner.learn(case.tasks[2])
    assert equal(loaded.state_dict(), learner.state_dict())


@pytest.mark.parametrize("case", [case for case in ONE_EACH if case.kind.trained_for_scenario], ids=str)
def test_what_comes_after_the_head_may_be_done_in_place(case):
    """The head's outputs, overwritten, are not the head's."""

    def found(behind) -> list[torch.Tensor | str]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layers = {"body": nn.Linear(FEATURES, 6), "head": nn.Linear(6, OUTPUTS)}
        learner = case.make(module=Function(lambda net, x: behind(net.head(net.body(x).tanh())), **layers))
        for task in case.tasks[:2]:
            learner.learn(task)
        answers = [learner.predict(INPUTS, task).outputs for task in range(2)]
        try:
            return [*answers, learner.network(0)(INPUTS).detach()]
        except ConfigurationError as error:
            return [*answers, str(error)]

    apart, in_place = lambda o: o - o.mean(1, keepdim=True), lambda o: o.sub_(o.mean(1, keepdim=True))
    for one, other in zip(found(apart), found(in_place), strict=True):
        if isinstance(one, torch.Tensor):
            torch.testing.assert_close(other, one)
        else:
            assert other == one


P, BODY = nn.utils.parametrizations, nn.Linear(FEATURES, 6)
NO_HEADS = {
    "weight norm": (lambda: nn.Sequential(BODY, P.weight_norm(nn.Linear(6, 3))), "computed from others"),
    "orthogonal": (lambda: nn.Sequential(BODY, P.orthogonal(nn.Linear(6, 3))), "computed from others"),
    "grouped convolution": (
        lambda: nn.Sequential(
            nn.Linear(FEATURES, 6), nn.Unflatten(1, (6, 1)), nn.Conv1d(6, 3, 1, groups=3), nn.Flatten()
        ),
        r"no nn\.Linear that could grow, whose outputs are those of the module",
    ),
    "sum": (
        lambda: Function(lambda net, x: net.a(x) + net.b(x), a=nn.Linear(FEATURES, 3), b=nn.Linear(FEATURES, 3)),
        r"no nn\.Linear that could grow, whose outputs are those of the module",
    ),
}


@growing
@pytest.mark.parametrize(("make", "message"), NO_HEADS.values(), ids=NO_HEADS)
def test_heads_that_cannot_grow_are_refused(case, make, message):
    is_refused(case.make(module=make()), case.tasks[0], message)


@one_each
def test_parts_at_rest_stay_at_rest_in_a_file_too(case, tmp_path):
    module = network()
    module[2].eval()
    before = copy.deepcopy(module[2].state_dict())
    learner = case.make(module=module)
    learner.learn(case.tasks[0])
    learner.save(tmp_path / "learner.safetensors")
    loaded = case.kind.load(tmp_path / "learner.safetensors", network())
    assert resting_parts(learner._module) == resting_parts(loaded._module) == ["2"]
    loaded.recall(case.tasks[:1])
    loaded.learn(case.tasks[1])
    statistics = dict(loaded._module[2].named_buffers())
    assert equal(statistics, {name: before[name] for name in statistics})


@one_each
def test_a_file_in_no_folder_is_refused_with_the_folder(case, tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no folder .*missing: make it first"):
        case.make().save(tmp_path / "missing" / "learner.safetensors")


def test_the_trial_leaves_no_trace_in_random_numbers():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Case.make(ONE_EACH[0]).learn(tasks("classes")[0])
    assert torch.equal(torch.rand(3), expected)


@one_each
def test_inputs_of_a_dataset_that_are_no_numbers_are_named_when_they_spoil_the_loss(case):
    """Reading all of a dataset beforehand would cost an epoch."""
    inputs = INPUTS.clone()
    inputs[3, 2] = float("nan")

    class Items(Dataset):
        def __len__(self):
            return COUNT

        def __getitem__(self, number):
            return inputs[number], int(LABELS[number])

    learner = case.make(training={"iterations": 12, "batch_size": 5})
    with pytest.raises(HypermnesiaError, match=r"example 3, counted from 0|not all finite numbers") as raised:
        learner.learn(Items())
    assert "learning rate" not in str(raised.value)
    assert (learner.num_tasks, learner.in_progress) == (0, None)


@one_each
def test_what_a_shuffled_loader_gives_is_by_the_learners_seed_alone(case):
    """Also where examples are looked at once more at the end of a task, or kept."""
    states = []
    for seed in range(2):
        torch.manual_seed(seed)
        learner = case.make()
        learner.learn(DataLoader(TensorDataset(INPUTS, LABELS), batch_size=4, shuffle=True))
        states.append(snapshot(learner.state_dict()))
    assert equal(*states)
