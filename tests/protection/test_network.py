"""A protected network by itself: what it remembers while a task is learned, and what it goes back to."""

from typing import Any

import pytest
import torch
from torch import nn

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.protection import HypernetworkSettings, ProtectedNetwork
from hypermnesia.seeds import Seeds
from hypermnesia.training import TrainingSettings, checkpoint
from tests.nested import equal

SETTINGS = HypernetworkSettings(embedding_dim=3, chunk_embedding_dim=2, hidden=(5,), chunk_size=7, beta=0.1)


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))


def network(**settings: Any) -> ProtectedNetwork:
    return ProtectedNetwork(module(), SETTINGS.model_copy(update=settings), TrainingSettings(), Seeds(0))


def take_steps(network: ProtectedNetwork, number: int = 5, seed: int = 0) -> None:
    """Learn a little of the task that was begun; statistics change too."""

    def loss(tensors, inputs, labels):
        return nn.functional.cross_entropy(network.functional(tensors, inputs), labels), {}

    generator = torch.Generator().manual_seed(seed)
    objective = network.objective(loss)
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.1)
    for iteration in range(number):
        optimizer.zero_grad()
        objective.prepare(iteration)
        inputs = torch.randn(8, 4, generator=generator) + seed
        objective.accumulate_gradients([(inputs, (inputs[:, 0] > seed).long())], optimizer)
        optimizer.step()


def learn(network: ProtectedNetwork, tasks: int) -> ProtectedNetwork:
    for _ in range(tasks):
        network.begin_task()
        take_steps(network, seed=network.num_tasks)
        network.end_task()
    return network


def copied(node: Any) -> Any:
    if isinstance(node, torch.Tensor):
        return node.detach().clone()
    if isinstance(node, dict):
        return {key: copied(value) for key, value in node.items()}
    return [copied(value) for value in node] if isinstance(node, list) else node


def test_tasks_before_the_current_one_are_remembered_as_they_were_however_far_theta_moves():
    protected = learn(network(), 2)
    before = copied([protected.tensors(task) for task in range(2)])
    protected.begin_task()
    take_steps(protected)
    assert equal(copied([protected.tensors_before(task) for task in range(2)]), before)
    now = copied([protected.tensors(task) for task in range(2)])
    assert not any(torch.equal(now[task]["0.weight"], before[task]["0.weight"]) for task in range(2))
    protected.end_task()
    assert equal(copied([protected.tensors_before(task) for task in range(2)]), now)


def test_statistics_belong_to_their_task():
    protected = learn(network(), 2)
    assert protected.tensors(0).keys() == protected.tensors(1).keys()
    means = [protected.tensors(task)["1.running_mean"].clone() for task in range(2)]
    assert not torch.equal(*means)
    protected.begin_task()
    take_steps(protected, seed=5)
    for task in range(2):
        assert torch.equal(protected.tensors_before(task)["1.running_mean"], means[task])
    assert protected.module[1].running_mean.abs().max() == 0


def test_an_abandoned_task_leaves_no_trace():
    protected = learn(network(), 2)
    before = copied(protected.state())
    protected.begin_task()
    assert protected.num_tasks == 2
    take_steps(protected)
    assert not equal(protected.state()["theta"], before["theta"])
    protected.abandon_task()
    assert equal(protected.state(), before)
    assert protected.num_tasks == 2
    # and what comes next is as if it had never been tried
    assert equal(learn(protected, 1).state(), learn(network(), 3).state())


@pytest.mark.parametrize("steps", [0, 3])
def test_a_state_amid_a_task_goes_on_elsewhere(steps, tmp_path):
    protected = learn(network(), 2)
    protected.begin_task()
    take_steps(protected, steps)
    checkpoint.write_state(tmp_path / "state", protected.state())
    torch.manual_seed(7)
    other = ProtectedNetwork(module().requires_grad_(True), SETTINGS, TrainingSettings(), Seeds(0))
    learn(other, 1)  # is replaced
    other.load_state(checkpoint.read_state(tmp_path / "state"))
    assert other.num_tasks == 2
    assert equal(other.state(), protected.state())
    assert [e.requires_grad for e in other.hypernetwork.task_embeddings] == [False, False, True]
    for each in (protected, other):
        take_steps(each, seed=1)
    assert equal(other.state(), protected.state())
    for each in (protected, other):
        each.abandon_task()
    assert equal(other.state(), learn(network(), 2).state())


def test_a_loaded_state_is_a_copy():
    """What lies unaligned in a file that was read would give other last digits; and nobody else's steps are seen."""
    protected = learn(network(), 1)
    protected.begin_task()
    take_steps(protected)
    state, other = copied(protected.state()), network()
    other.load_state(state)

    def overwrite(node: Any) -> None:
        if isinstance(node, torch.Tensor):
            node.fill_(7)
        elif isinstance(node, (dict, list)):
            for part in node.values() if isinstance(node, dict) else node:
                overwrite(part)

    overwrite(state)
    assert equal(other.state(), protected.state())


def test_another_embedding_gives_other_weights_with_the_statistics_of_the_task():
    protected = learn(network(), 2)
    embedding = protected.hypernetwork.task_embeddings[1]
    mixed = protected.tensors(0, embedding)
    assert torch.equal(mixed["0.weight"], protected.tensors(1)["0.weight"])
    assert torch.equal(mixed["1.running_mean"], protected.tensors(0)["1.running_mean"])


def test_in_use_there_are_no_gradients_and_statistics_stay_whatever_happens():
    protected = learn(network(), 1)
    protected.begin_task()
    take_steps(protected)
    statistics = protected.tensors(1)["1.running_mean"].clone()
    with pytest.raises(ZeroDivisionError), protected.for_use():
        outputs = protected.functional(protected.tensors(1), torch.randn(8, 4))
        raise ZeroDivisionError
    assert not outputs.requires_grad
    assert torch.equal(protected.tensors(1)["1.running_mean"], statistics)
    assert protected.module.training


def test_a_task_begins_as_the_module_is_before_anything_was_learned():
    protected = network()
    protected.begin_task()
    for name, parameter in module().named_parameters():
        assert torch.equal(protected.tensors(0)[name], parameter)


def test_the_module_holds_what_weights_are_a_difference_from_and_nobody_else_does():
    protected = network()
    storages = {p.untyped_storage().data_ptr() for p in protected.module.parameters()}
    assert storages == {protected.hypernetwork.base.untyped_storage().data_ptr()}


def test_parameters_of_its_own_are_learned_for_each_task_and_no_other_task_changes_them():
    protected = learn(network(own=("3.*",)), 1)
    assert set(protected.hypernetwork.layout.names) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    first = copied(protected.of_task(0))
    assert not torch.equal(first["3.weight"], module()[3].weight)
    learn(protected, 1)
    assert equal(protected.of_task(0), first)
    assert torch.equal(protected.tensors(0)["3.weight"], first["3.weight"])
    assert not torch.equal(protected.tensors(1)["3.weight"], first["3.weight"])
    generated = sum(p.numel() for p in protected.hypernetwork.parameters())
    assert protected.num_weights == generated + 2 * sum(p.numel() for p in module()[3].parameters())


@pytest.mark.parametrize("start", ["module", "drawn"])
def test_parameters_of_its_own_start_at_the_modules_values_or_drawn_from_the_seed(start):
    one, other = (network(own=("3.*",), own_start=start) for _ in range(2))
    for protected in (one, other):
        for _ in range(2):
            protected.begin_task()
            protected.end_task()
    firsts = [one.of_task(task)["3.weight"] for task in range(2)]
    assert equal(firsts, [other.of_task(task)["3.weight"] for task in range(2)])
    as_module = [torch.equal(first, module()[3].weight) for first in firsts]
    assert as_module == [start == "module"] * 2
    assert torch.equal(*firsts) == (start == "module")


@pytest.mark.parametrize("setting", ["shared", "own"])
def test_a_pattern_that_matches_nothing_is_refused(setting):
    with pytest.raises(ConfigurationError, match=rf"^{setting}: no .*parameter matches '3.wieght'.*mean '3.weight'"):
        network(**{setting: ("3.wieght",)})


def test_a_layer_that_cannot_be_drawn_anew_is_named():
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))

    settings = SETTINGS.model_copy(update={"own": ("1.*",), "own_start": "drawn"})
    with pytest.raises(ConfigurationError, match=r"own_start: '1\.scale' .*a Scale, has no method reset_parameters"):
        ProtectedNetwork(nn.Sequential(nn.Linear(4, 2), Scale()), settings, TrainingSettings(), Seeds(0))


def test_a_regularizer_relative_to_what_it_protects_does_not_depend_on_the_size_of_the_weights():
    """β times ‖change‖² : ‖weights‖²: ten times the weights, the same pull relative to them."""

    def pulls(scale: float) -> list[float]:
        pulled = []
        for relative in (False, True):
            protected = network(beta_relative=relative, start="zero", beta=1.0)
            with torch.no_grad():
                protected.hypernetwork.readout.mul_(scale)
            protected.begin_task()
            protected.end_task()
            protected.begin_task()
            objective = protected.objective(lambda tensors, inputs, labels: (0 * tensors["0.weight"].sum(), {}))
            with torch.no_grad():
                protected.hypernetwork.readout.mul_(1.5)
            optimizer = torch.optim.SGD(objective.parameters(), lr=1.0)
            scalars = objective.accumulate_gradients([(torch.zeros(2, 4), torch.zeros(2))], optimizer)
            pulled.append(scalars["loss"].item())
        return pulled

    (small, small_relative), (large, large_relative) = pulls(1.0), pulls(10.0)
    assert large == pytest.approx(100 * small, rel=1e-3)
    assert large_relative == pytest.approx(small_relative, rel=1e-3)
    assert small_relative == pytest.approx(0.25, rel=1e-3)  # 1.5 times the weights: half of them is new


def begun(number: int) -> tuple[ProtectedNetwork, torch.Tensor, torch.Tensor, Any]:
    """The third task, not begun to be learned, with its first batch; more or fewer candidates."""
    protected = learn(network(embedding_candidates=number), 2)
    protected.begin_task()
    generator = torch.Generator().manual_seed(9)
    inputs = torch.randn(8, 4, generator=generator)
    labels = (inputs[:, 1] > 0).long()
    objective = protected.objective(lambda t, x, y: (nn.functional.cross_entropy(protected.functional(t, x), y), {}))
    return protected, inputs, labels, objective


def test_a_task_begins_with_the_candidate_that_fits_its_first_batch_best():
    def loss(number: int) -> tuple[float, torch.Tensor]:
        protected, inputs, labels, objective = begun(number)
        before = copied(protected.state())
        objective.begin([(inputs, labels)])
        after = copied(protected.state())
        chosen = after["task_embeddings"].pop()
        assert equal(before["task_embeddings"][:-1], after["task_embeddings"])
        for key in before.keys() - {"task_embeddings"}:  # statistics too, though networks were asked while learning
            assert equal(before[key], after[key]), key
        with torch.no_grad():
            outputs = protected.functional(copied(protected.tensors(2)), inputs)
        return nn.functional.cross_entropy(outputs, labels).item(), chosen

    (alone, first), (best_of_few, _), (best_of_many, chosen) = map(loss, (1, 4, 64))
    drawn = network()._seeds.child("task", 2, "embedding").generator()
    assert torch.equal(first, torch.randn(3, generator=drawn))
    assert best_of_few <= alone  # others than the first four of many: torch draws so few in another way
    assert best_of_many < alone
    assert torch.equal(loss(64)[1], chosen)


def test_before_anything_was_learned_there_is_nothing_to_choose():
    protected = network()
    protected.begin_task()
    before = copied(protected.state())
    protected.objective(lambda *_: pytest.fail("was asked")).begin([(torch.zeros(1, 4), torch.zeros(1))])
    assert equal(protected.state(), before)


@pytest.mark.parametrize("factor", ["features", 0.3])
def test_the_rate_of_theta_is_its_own_and_that_of_all_else_is_the_networks(factor):
    protected = learn(network(rate_factor=factor, own=("3.*",)), 1)
    protected.begin_task()
    objective = protected.objective(lambda *_: pytest.fail("was asked"))
    factors, theta = objective.rate_factors(), protected.hypernetwork.shared_parameters().values()
    assert set(factors) == set(theta)
    assert len(objective.parameters()) == len(factors) + 1 + 2
    (found,) = set(factors.values())
    if factor == "features":
        features = protected.hypernetwork.features(torch.randn(4000, 3)).detach()
        expected = protected.hypernetwork.num_chunks**0.5 / features.abs().sum(-1).mean().item()
        assert found == pytest.approx(expected, rel=0.3)  # sixteen embeddings are drawn there
    else:
        assert found == factor


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("own", [(), ("2.*",)], ids=["all generated", "a head of its own"])
def test_a_module_of_another_type_starts_as_it_is_and_learns_in_float32(dtype, own):
    torch.manual_seed(0)
    given = nn.Sequential(nn.Embedding(9, 6), nn.Flatten(), nn.Linear(12, 3)).to(dtype)
    protected = ProtectedNetwork(given, SETTINGS.model_copy(update={"own": own}), TrainingSettings(), Seeds(0))
    inputs = torch.arange(8).view(4, 2)
    expected = given(inputs).detach()
    protected.begin_task()
    outputs = protected.functional(protected.tensors(0), inputs)
    assert torch.equal(outputs.to(dtype), expected)
    assert outputs.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)

    def loss(tensors, inputs, labels):
        return nn.functional.cross_entropy(protected.functional(tensors, inputs), labels), {}

    objective = protected.objective(loss)
    optimizer = torch.optim.SGD(objective.parameters(), lr=1e-3)
    objective.accumulate_gradients([(inputs, torch.arange(4) % 3)], optimizer)
    optimizer.step()
    assert not torch.equal(protected.tensors(0)["2.weight"], given[2].weight)  # a step that bfloat16 alone would lose
    assert all(parameter.dtype in (torch.float32, dtype) for parameter in objective.parameters())


@pytest.mark.parametrize("start", ["module", "zero"])
@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_the_row_for_padding_stays_as_it_is(kind, start):
    """As when the module is trained by itself, so that more padding changes no sum."""
    module = nn.Sequential(kind(6, 3, padding_idx=4), nn.Flatten(), nn.Linear(3, 2))
    settings = HypernetworkSettings(chunk_size=7, hidden=(4,), start=start)
    network = ProtectedNetwork(module, settings, TrainingSettings(), Seeds(0))
    network.begin_task()
    with torch.no_grad():
        network.hypernetwork.readout.normal_(generator=torch.Generator().manual_seed(0))
    weight = network.tensors(0)["0.weight"]
    assert weight[4].count_nonzero() == 0
    assert (torch.cat([weight[:4], weight[5:]]) != 0).all()
    weight.sum().backward()
    assert network.hypernetwork.readout.grad.count_nonzero() > 0


def test_a_row_for_padding_that_another_layer_learns_is_generated():
    module = nn.Sequential(nn.Embedding(6, 3, padding_idx=4), nn.Linear(3, 6, bias=False))
    module[1].weight = module[0].weight
    network = ProtectedNetwork(module, HypernetworkSettings(chunk_size=7, hidden=(4,)), TrainingSettings(), Seeds(0))
    assert network.hypernetwork.layout.padding == ()


class Replacing(nn.Module):
    """Replaces its statistics by others, of another shape if it is told to."""

    def __init__(self, grow: int):
        super().__init__()
        self.layer, self.grow = nn.Linear(3, 2), grow
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, inputs):
        self.seen = torch.cat([self.seen + 1, self.seen.new_zeros(self.grow)])
        return self.layer(inputs)


def test_statistics_may_be_replaced_by_others_of_their_shape():
    network = ProtectedNetwork(
        Replacing(0), HypernetworkSettings(chunk_size=7, hidden=(4,)), TrainingSettings(), Seeds(0)
    )
    network.begin_task()
    kept = network.of_task(0)["seen"]
    for calls in (1, 2):
        network.functional(network.tensors(0), torch.zeros(1, 3))
        assert network.of_task(0)["seen"] is kept
        assert kept.tolist() == [calls, calls]
    assert network.module.seen.tolist() == [0, 0]
    growing = ProtectedNetwork(
        Replacing(1), HypernetworkSettings(chunk_size=7, hidden=(4,)), TrainingSettings(), Seeds(0)
    )
    growing.begin_task()
    with pytest.raises(DataError, match=r"shape of its buffer 'seen' from \[2\] to \[3\]"):
        growing.functional(growing.tensors(0), torch.zeros(1, 3))
