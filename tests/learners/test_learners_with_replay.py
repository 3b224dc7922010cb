"""What HNET+R and HNET+TIR have in common: stopping, saving, undoing, and what they refuse."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hypermnesia.errors import CheckpointError, ConfigurationError, DataError, DivergenceError
from hypermnesia.learners import HypernetworkLearner
from tests.stopping import Stopped, stop_at

SHORT = {"iterations": 8}


def answers(learner, examples, tasks: int = 3) -> list[torch.Tensor]:
    """All that can be asked about all tasks, replayed inputs included."""
    inputs = torch.cat([examples(task)[0] for task in range(tasks)])
    parts = [learner.predict(inputs, task).probabilities for task in range(learner.num_tasks)]
    prediction = learner.predict(inputs)
    parts += [prediction.labels, prediction.task, prediction.probabilities, prediction.certainty]
    return parts + [learner.replay(task, 3) for task in range(learner.num_tasks)]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def test_a_stopped_learner_goes_on_bit_for_bit(kind, make, examples, tmp_path):
    """Stopped in the middle of the second task, and of a block of replayed batches."""

    def module(seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(28, 10), nn.BatchNorm1d(10), nn.Dropout(0.2), nn.ReLU(), nn.Linear(10, 2))

    whole, stopped = (make(kind, module(), training={"iterations": 12}) for _ in range(2))
    for task in range(2):
        whole.learn(examples(task))
    stopped.learn(examples(0))
    with pytest.raises(Stopped):
        stopped.learn(examples(1), monitor=stop_at(5))
    assert (stopped.in_progress, stopped.num_tasks) == (5, 1)
    stopped.save(tmp_path / "learner.safetensors")
    resumed = kind.load(tmp_path / "learner.safetensors", module(seed=123))
    assert (resumed.in_progress, resumed.num_tasks) == (5, 1)
    for each in (stopped, resumed):
        each.learn(examples(1))
        assert same(answers(each, examples), answers(whole, examples))


def test_a_state_taken_over_in_memory_is_not_shared(kind, make, examples):
    whole, stopped, other = (make(kind, training=SHORT) for _ in range(3))
    for task in range(2):
        whole.learn(examples(task))
    stopped.learn(examples(0))
    with pytest.raises(Stopped):
        stopped.learn(examples(1), monitor=stop_at(4))
    other.load_state_dict(stopped.state_dict())
    for each in (other, stopped):
        each.learn(examples(1))
        assert same(answers(each, examples), answers(whole, examples))


def test_saved_and_loaded(kind, make, module, examples, tmp_path):
    trained = make(kind, training=SHORT)
    for task in range(2):
        trained.learn(examples(task))
    trained.save(tmp_path / "learner.safetensors")
    loaded = kind.load(tmp_path / "learner.safetensors", module(seed=99))
    assert same(answers(loaded, examples), answers(trained, examples))
    assert (loaded.settings, loaded.training, loaded.scenarios) == (
        trained.settings,
        trained.training,
        trained.scenarios,
    )
    assert loaded.num_weights == trained.num_weights
    for each in (loaded, trained):
        each.learn(examples(2))
    assert same(answers(loaded, examples), answers(trained, examples))


def test_loading_refuses_what_does_not_fit(kind, make, examples, tmp_path):
    trained = make(kind, training=SHORT)
    trained.learn(examples(0))
    trained.save(tmp_path / "learner.safetensors")
    other = nn.Sequential(nn.Linear(28, 17), nn.ReLU(), nn.Linear(17, 2))
    with pytest.raises(CheckpointError, match=r"'0.bias' is \[17\] here and \[16\] there; give a module of the same"):
        kind.load(tmp_path / "learner.safetensors", other)
    with pytest.raises(CheckpointError, match=f"holds {kind.__name__}, not a HypernetworkLearner"):
        HypernetworkLearner.load(tmp_path / "learner.safetensors", other)


def test_a_diverged_task_is_undone(kind, make, examples):
    trained, never = make(kind, training=SHORT), make(kind, training=SHORT)
    for each in (trained, never):
        each.learn(examples(0))
    sane = trained.training
    trained.training = sane.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(DivergenceError, match=r"loss became nan.*learning_rate"):
        trained.learn(examples(1))
    assert (trained.num_tasks, trained.in_progress) == (1, None)
    assert trained.predict(examples(0)[0]).task.unique().tolist() == [0]
    assert same(answers(trained, examples), answers(never, examples))
    trained.training = sane
    for each in (trained, never):
        each.learn(examples(1))
    assert same(answers(trained, examples), answers(never, examples))


def test_the_seed_decides_everything_and_the_global_random_state_is_left_alone(kind, make, module, examples):
    untrained = module()

    def learned(seed: int) -> list[torch.Tensor]:
        trained = make(kind, untrained, seed=seed, training=SHORT)
        for task in range(2):
            trained.learn(examples(task))
        return answers(trained, examples)

    first = learned(1)
    state = torch.random.get_rng_state()
    again = learned(1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert same(again, first)
    assert not same(learned(2), first)


@pytest.mark.parametrize(
    "change",
    [lambda x: 2 * x - 1, lambda x: 255 * x, lambda x: x.masked_fill(torch.arange(60)[:, None] == 59, float("nan"))],
    ids=["negative", "gray levels", "one is no number"],
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["tensors", "loader"])
def test_inputs_outside_the_unit_range_are_refused_and_change_nothing(kind, change, wrapped, make, examples):
    trained, never = make(kind, training=SHORT), make(kind, training=SHORT)
    for each in (trained, never):
        each.learn(examples(0))
    inputs, labels = examples(1)
    source = (change(inputs), labels)
    with pytest.raises(DataError, match=r"'task' .* from (-\d|\d|nan).* to .* between 0 and 1: scale"):
        trained.learn(DataLoader(TensorDataset(*source), batch_size=16) if wrapped else source)
    assert (trained.num_tasks, trained.in_progress) == (1, None)
    assert same(answers(trained, examples), answers(never, examples))


def test_gray_levels_as_bytes_are_scaled_by_themselves(kind, make, examples):
    trained = make(kind, training=SHORT)
    inputs, labels = examples(0)
    trained.learn(((255 * inputs).byte(), labels))
    assert trained.num_tasks == 1


def test_other_shapes_are_refused_and_change_nothing(kind, make, examples):
    trained = make(kind, training=SHORT)
    trained.learn(examples(0))
    before = answers(trained, examples)
    with pytest.raises(DataError, match=r"shape \[5\].*first task had \[28\]"):
        trained.learn((torch.rand(4, 5), torch.arange(4) % 2))
    assert same(answers(trained, examples), before)


def test_questions_that_make_no_sense_are_refused(kind, make, examples):
    trained = make(kind, training=SHORT)
    inputs, labels = examples(0)
    with pytest.raises(ConfigurationError, match="learn a task first"):
        trained.predict(inputs)
    for task in (0, -1):
        with pytest.raises(ConfigurationError, match=f"no task {task} to replay: 0 tasks were learned"):
            trained.replay(task, 3)
    trained.learn((inputs, labels))
    for task in (1, -1):
        with pytest.raises(ConfigurationError, match=f"no task {task}: 1 tasks were learned"):
            trained.predict(inputs, task)
        with pytest.raises(ConfigurationError, match=f"no task {task} to replay: 1 tasks were learned"):
            trained.replay(task, 3)
    with pytest.raises(DataError, match=r"shape \[n, 28\] as in learning, not \[n, 3\]"):
        trained.predict(torch.zeros(2, 3))
    with pytest.raises(Stopped):
        trained.learn(examples(1), monitor=stop_at(2))
    with pytest.raises(ConfigurationError, match="no task 1 to replay: 1 tasks were learned"):
        trained.replay(1, 3)


def test_no_inputs_have_no_answers(kind, make, examples):
    trained = make(kind, training=SHORT)
    trained.learn(examples(0))
    trained.learn(examples(1))
    for task in (None, 0):
        prediction = trained.predict(torch.zeros(0, 28), task)
        assert prediction.labels.shape == prediction.task.shape == prediction.certainty.shape == (0,)
        assert prediction.probabilities.shape == (0, 2)


GAN = {"kind": "gan", "latent_dim": 8, "hidden": (40,), "discriminator_hidden": (40,), "gradient_penalty": 1.0}


@pytest.mark.parametrize(
    "variant",
    [
        {"training": {"precision": "bfloat16"}},
        {"training": {"betas": (0, 0.999)}, "replay": {"model": GAN}},
        {"replay": {"weight": "equal", "temperature": 1.0}},
        {"model": {"prior": "class"}, "replay": {"temperature": None}},
    ],
    ids=["bfloat16", "gan", "equal weights", "prior of each class"],
)
def test_every_variant_learns_and_remembers(kind, variant, make, examples):
    training = {"iterations": 100, **variant.get("training", {})}
    trained = make(kind, **{**copy.deepcopy(variant), "training": training})
    for task in range(2):
        trained.learn(examples(task))
    for task in range(2):
        assert (trained.predict(examples(task)[0]).task == task).float().mean() > 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replay": {"wieght": 0.5}}, "Did you mean 'weight'"),
        ({"replay": {"weight": 1.0}}, "weight.*: should be less than 1"),
        ({"replay": {"temperature": 0}}, "temperature: "),
        ({"replay": {"model": {"kind": "gna"}}}, "model.kind: 'gna'.*vae, gan"),
        ({"replay": {"model": {"kind": "vae", "hidden": (0,)}}}, r"model.hidden.0: "),
        ({"training": {"iterations": -1}}, "iterations: "),
    ],
)
def test_wrong_settings_are_explained(kind, settings, message, module):
    with pytest.raises(ConfigurationError, match=message):
        kind(module(), **settings)


def test_a_module_without_a_head_is_refused(kind, make):
    with pytest.raises(ConfigurationError, match=r"no nn\.Linear that could grow"):
        make(kind, nn.Sequential(nn.Conv1d(1, 2, 3)))
