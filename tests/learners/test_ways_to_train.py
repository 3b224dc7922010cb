"""What users of PyTorch expect of training, in every learner: early stopping, float16, groups, any optimizer."""

import copy
import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError
from hypermnesia.regularizers.candidate import SUPPORTED
from tests.methods import COUNT, FEATURES, ONE_EACH, OUTPUTS, TRAINING, network
from tests.nested import equal, snapshot
from tests.ranks import together
from tests.stopping import Stopped, stop_at

SHAPE = (1, 2, FEATURES // 2)
STOPPING = {**TRAINING, "iterations": None, "epochs": 8, "early_stopping": {"patience": 2}}
EVERYTHING = {
    **STOPPING,
    "batch_size": 4,
    "gradient_accumulation_steps": 2,
    "warm_up": 3,
    "precision": "float16",
    "optimizer": "nadam",
    "optimizer_arguments": {"momentum_decay": 0.01},
    "groups": [{"parameters": ["*bias"], "rate_factor": 0.5, "weight_decay": 0}],
    "weight_decay": 0.01,
}

pytestmark = pytest.mark.usefixtures("unchecked")


def task(number: int = 0, count: int = COUNT) -> hm.Task:
    inputs = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(number))
    labels = torch.arange(count) % 2
    return hm.Task.of((inputs, labels), validation=(inputs[:5], labels[:5]), name=f"task {number}")


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request):
    """Each method."""
    return request.param


def measuring(learner: hm.ContinualLearner, values: list[float]) -> list[list[torch.Tensor]]:
    """Let validation find these values one after another; what is learned at each comes into the list."""
    seen, given = [], iter(values)

    def validate(task: hm.Task) -> float:
        seen.append(learned(learner))
        return next(given)

    learner._validate = validate
    return seen


def learned(learner: hm.ContinualLearner) -> list[torch.Tensor]:
    """What the learner has learned so far of the task, statistics included."""
    objective = learner._trainer._objective
    trained = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    return [tensor.detach().clone() for tensor in (*trained, *objective.statistics())]


def test_a_task_ends_when_validation_gets_no_better_with_the_best_of_what_was_learned(case):
    learner = case.make(training=STOPPING)
    kept, end = [], learner._parts.end_task

    def ending(task):
        kept.append(learned(learner))
        end(task)

    learner._parts.end_task = ending
    for number, values in enumerate(([0.1, 0.5, 0.5, 0.2], [0.9, 0.8, 0.7])):
        seen, steps = measuring(learner, values), []
        learner.learn(task(number), monitor=lambda progress, steps=steps: steps.append(progress.iteration))
        assert len(seen) == len(values)
        assert equal(kept[number], seen[values.index(max(values))])
        assert not equal(kept[number], seen[-1])
        if case.method.name != "joint":  # whose epochs grow
            assert len(steps) == [10, 8][number]  # epochs of 2.5 steps end within the 3rd, 5th, 8th and 10th
    assert learner.num_tasks == 2
    assert learner.in_progress is None


def test_the_last_state_is_kept_where_the_best_is_not_to_be_restored(case):
    settings = {**STOPPING, "early_stopping": {"patience": 2, "restore_best": False}}
    stopped, plain = case.make(training=settings), case.make(training={**TRAINING, "iterations": 8})
    measuring(stopped, [0.9, 0.8, 0.7])
    for learner in (stopped, plain):
        learner.learn(task(0))
    assert equal(snapshot(stopped.state_dict()), snapshot(plain.state_dict()))


def test_changes_below_the_least_one_are_no_better():
    learner = hm.FineTuningLearner(
        network(), training={**STOPPING, "early_stopping": {"patience": 2, "min_delta": 0.1}}
    )
    seen = measuring(learner, [0.5, 0.55, 0.59, 0.9])
    learner.learn(task(0))
    assert len(seen) == 3


def test_of_errors_the_least_is_the_best():
    learner = hm.FineTuningLearner(network(), scenario="task", training={**STOPPING, "epochs": 4})
    seen = measuring(learner, [0.5, 0.4, 0.45, 0.6])
    inputs = torch.rand(COUNT, *SHAPE)
    targets = inputs.flatten(1)[:, :OUTPUTS]
    learner.learn(hm.Task.of((inputs, targets), validation=(inputs, targets)))
    parameters = [p.detach() for p in learner._standard.network.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(parameters, seen[1], strict=False))


def test_early_stopping_needs_validation_examples(case):
    inputs, labels = torch.rand(COUNT, *SHAPE), torch.arange(COUNT) % 2
    with pytest.raises(ConfigurationError, match=r"training.early_stopping looks at validation examples"):
        case.make(training=STOPPING).learn((inputs, labels))


def test_a_monitor_ends_a_task_which_counts_as_learned(case):
    ended, plain = (case.make(training={**TRAINING, "iterations": n, "schedule": "constant"}) for n in (9, 3))
    for number in range(2):
        ended.learn(task(number), monitor=lambda progress: progress.iteration == 3)
        plain.learn(task(number))
    assert ended.num_tasks == 2
    assert ended.in_progress is None
    assert equal(snapshot(ended.state_dict()), snapshot(plain.state_dict()))


def test_a_monitor_ends_adapting_and_relearning():
    learner = hm.HypernetworkLearner(network(), chunk_size=40, training=TRAINING)
    learner.learn(task(0))
    steps = []

    def monitor(progress):
        steps.append(progress.iteration)
        return progress.scalars["loss"] < 1e9  # a tensor, as comparisons give

    learner.adapt(task(1), monitor=monitor)
    learner.relearn(task(0), task=0, monitor=monitor)
    assert steps == [1, 1]
    assert learner.num_tasks == 2


def test_what_a_monitor_must_not_return_undoes_the_task(case):
    learner = case.make()
    before = snapshot(learner.state_dict())
    with pytest.raises(ConfigurationError, match=r"a monitor returns True to end the task, .* but it returned 7"):
        learner.learn(task(0), monitor=lambda progress: 7)
    assert equal(snapshot(learner.state_dict()), before)


def test_a_task_that_was_ended_is_not_gone_on_with():
    """Stopped between its end and that of the call, it has no steps to take."""
    learner = hm.SILearner(network(), training={**TRAINING, "iterations": 9})
    consolidation = learner._consolidation
    end = consolidation.end_task

    def interrupted(task):
        consolidation.end_task = end
        raise KeyboardInterrupt

    consolidation.end_task = interrupted
    with pytest.raises(KeyboardInterrupt):
        learner.learn(task(0), monitor=lambda progress: progress.iteration == 3)
    assert learner.in_progress == 3
    learner.learn(task(0), monitor=lambda progress: pytest.fail("took another step"))
    plain = hm.SILearner(network(), training={**TRAINING, "iterations": 3})
    plain.learn(task(0))
    assert equal(snapshot(learner.state_dict()), snapshot(plain.state_dict()))


@pytest.mark.slow
def test_all_of_it_goes_on_bit_for_bit(case, tmp_path):
    whole, stopped = (case.make(training=EVERYTHING) for _ in range(2))
    for number in range(2):
        whole.learn(task(number))
    stopped.learn(task(0))
    with pytest.raises(Stopped):
        stopped.learn(task(1), monitor=stop_at(5))
    stopped.save(tmp_path / "learner")
    again = case.load(tmp_path / "learner", 0)
    again.recall([task(0)])
    again.learn(task(1))
    assert equal(snapshot(again.state_dict()), snapshot(whole.state_dict()))


def test_parameters_of_a_task_alone_go_on_bit_for_bit_from_a_file(tmp_path):
    whole, stopped = (
        hm.HypernetworkLearner(network(), chunk_size=40, own=("5.*",), training=EVERYTHING) for _ in range(2)
    )
    whole.learn(task(0))
    with pytest.raises(Stopped):
        stopped.learn(task(0), monitor=stop_at(4))
    stopped.save(tmp_path / "learner")
    again = hm.load(tmp_path / "learner", network())
    again.learn(task(0))
    assert equal(snapshot(again.state_dict()), snapshot(whole.state_dict()))


def test_a_loader_that_shuffles_by_a_generator_of_its_own_goes_on_bit_for_bit(tmp_path, case):
    """The same loader, from which more was drawn, and one that another process makes with the same seed."""

    def loader() -> DataLoader:
        generator = torch.Generator().manual_seed(1)
        return DataLoader(TensorDataset(*next(task(0).train.in_order(COUNT))), 6, shuffle=True, generator=generator)

    source = loader()
    whole, stopped = case.make(), case.make()
    whole.learn(source)
    with pytest.raises(Stopped):
        stopped.learn(source, monitor=stop_at(2))
    stopped.save(tmp_path / "learner")
    again = case.load(tmp_path / "learner", 0)
    for learner, its in ((stopped, source), (again, loader())):
        learner.learn(its)
        assert equal(snapshot(learner.state_dict()), snapshot(whole.state_dict()))


@pytest.mark.parametrize("optimizer", [kind.__name__ for kind in SUPPORTED if kind.__name__ != "Muon"])
@pytest.mark.parametrize("kind", [hm.HypernetworkLearner, hm.FineTuningLearner])
def test_any_optimizer_learns_and_goes_on_bit_for_bit(kind, optimizer):
    given = {"chunk_size": 40} if kind is hm.HypernetworkLearner else {"scenario": "task"}
    whole, stopped = (kind(network(), training={**TRAINING, "optimizer": optimizer}, **given) for _ in range(2))
    for number in range(2):
        whole.learn(task(number))
    stopped.learn(task(0))
    with pytest.raises(Stopped):
        stopped.learn(task(1), monitor=stop_at(2))
    stopped = copy.deepcopy(stopped)
    stopped.learn(task(1))
    assert equal(snapshot(stopped.state_dict()), snapshot(whole.state_dict()))


def test_muon_is_refused_before_anything_is_learned():
    learner = hm.HypernetworkLearner(network(), chunk_size=40, training={**TRAINING, "optimizer": "muon"})
    with pytest.raises(ConfigurationError, match="muon takes matrices only"):
        learner.learn(task(0))
    assert learner.num_tasks == 0


def test_float16_learns_like_float32(case):
    """With losses scaled: the moves of a step are those of float32 to the precision of half."""
    inputs = task(0).train
    training = {**TRAINING, "optimizer": "sgd", "iterations": 1}
    outputs = []
    for precision in ("float32", "float16"):
        scalars = []
        learner = case.make(module=plain(), training={**training, "precision": precision})
        learner.learn(hm.Task.of(next(inputs.in_order(COUNT))), monitor=lambda p, s=scalars: s.append(p.scalars))
        outputs.append(float(scalars[0]["loss"]))
    assert outputs[0] == pytest.approx(outputs[1], rel=0.02, abs=1e-3)


def plain() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(FEATURES, 6), nn.ReLU(), nn.Linear(6, OUTPUTS))


class Steep(nn.Module):
    """A linear layer whose gradient is too large for float16 unless losses are scaled down."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(FEATURES, OUTPUTS)

    def forward(self, inputs):
        return self.head(inputs.flatten(1)) * 100


def test_a_step_whose_gradients_overflow_is_skipped_and_the_scale_falls():
    learner = hm.SILearner(Steep(), training={**TRAINING, "precision": "float16", "optimizer": "sgd", "iterations": 12})
    moved, scales = [], []

    def monitor(progress):
        moved.append(learner._standard.network.state_dict()["module.head.weight"].clone())
        scales.append(learner._trainer._loss_scale.value)

    learner.learn(task(0), monitor=monitor)
    assert scales[0] == 2**15  # of 2**16 the gradient has overflowed
    skipped = sum(scale != before for before, scale in zip([2.0**16, *scales], scales, strict=False))
    still = sum(torch.equal(one, other) for one, other in itertools.pairwise(moved))
    assert 0 < skipped < len(moved)
    assert still == skipped - 1  # before the first step nothing was looked at
    assert all(weight.isfinite().all() for weight in moved)


def test_groups_of_a_hypernetwork_are_named_by_its_parts():
    groups = [
        {"parameters": ["task_embedding", "hypernetwork.chunk_embeddings"], "rate_factor": 1e-20, "weight_decay": 0},
        {"parameters": ["hypernetwork.trunk.*.bias"], "weight_decay": 0},
    ]
    learner = hm.HypernetworkLearner(network(), chunk_size=40, training={**TRAINING, "groups": groups})
    learner.learn(task(0))
    start = hm.HypernetworkLearner(network(), chunk_size=40)
    unmoved = learner.hypernetwork.chunk_embeddings
    torch.testing.assert_close(unmoved, start.hypernetwork.chunk_embeddings, rtol=0, atol=1e-12)
    assert not torch.equal(learner.hypernetwork.readout, start.hypernetwork.readout)
    learner.adapt(task(1))  # where there is no Θ_h to optimize


def test_groups_that_match_nothing_are_refused_before_anything_is_learned(case):
    learner = case.make(training={**TRAINING, "groups": [{"parameters": ["nothing"], "rate_factor": 2}]})
    with pytest.raises(ConfigurationError, match=r"training.groups: no parameter matches 'nothing'.* Parameters: "):
        learner.learn(task(0))
    assert learner.num_tasks == 0


@pytest.mark.slow
def test_ranks_stop_together_with_the_same_weights():
    def both() -> list[Any]:
        learner = hm.HypernetworkLearner(network(), chunk_size=40, training={**EVERYTHING, "epochs": 6})
        measuring(learner, [0.9, 0.8, 0.7, 0.6])
        learner.learn(task(0))
        first = torch.distributed.get_rank() == 0
        learner.learn(task(1), monitor=lambda progress: first and progress.iteration == 2)
        return [tensor.detach().numpy() for tensor in learner.hypernetwork.shared_parameters().values()]

    one, other = together(2, both)
    assert all((a == b).all() for a, b in zip(one, other, strict=True))
