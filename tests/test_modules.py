"""Modules are copied in the modes they are to be trained in, or refused with a sentence that names the part."""

import threading
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from hypermnesia.errors import ConfigurationError
from hypermnesia.module_copies import copy_of
from hypermnesia.modules import (
    check_takes_weights,
    check_uses_weights,
    evaluation_mode,
    holding,
    put_to_rest,
    resting_parts,
)
from tests.zoo import keeping_since_a_call

pytestmark = pytest.mark.usefixtures("unchecked")

CPU = torch.device("cpu")


class Locked(nn.Linear):
    """What no two can have."""

    def __init__(self):
        super().__init__(4, 4)
        self.lock = threading.Lock()


class KeptInUse(nn.BatchNorm1d):
    """Keeps itself in evaluation mode, whatever its network is put in."""

    def train(self, mode=True):
        return super().train(False)


def network(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Sequential(nn.Linear(4, 4), *parts), nn.Linear(4, 2))


def with_old_norm(norm) -> nn.Module:
    """In use already: the weight that it has computed is in it."""
    with warnings.catch_warnings(action="ignore"):
        module = network(norm(nn.Linear(4, 4)))
    module(torch.rand(2, 4))
    return module


def scripted(module: nn.Module) -> nn.Module:
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.script(module)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (len, "must be a torch.nn.Module, not a builtin_function_or_method"),
        (None, "must be a torch.nn.Module, not a NoneType"),
        (nn.Linear, r"a network, not its class: give Linear\(\.\.\.\)"),
        (network(nn.LazyLinear(4)), r"parameter '0\.1\.weight' has no shape yet: call the module once"),
        (network(nn.LazyBatchNorm1d(affine=False)), r"buffer '0\.1\.running_mean' has no shape yet"),
        (network(nn.Linear(4, 4, device="meta")), r"parameter '0\.1\.weight' has no values, .* device 'meta'"),
        (network(Locked()), r"its part '0\.1' cannot \(cannot pickle.*let Locked hold nothing"),
        (network(scripted(nn.ReLU())), r"its part '0\.1' is compiled by torch\.jit: give the module that"),
        (with_old_norm(nn.utils.weight_norm), r"its part '0\.1' holds the tensor 'weight', which is computed"),
        (with_old_norm(nn.utils.spectral_norm), r"its part '0\.1' holds the tensor 'weight', which is computed"),
    ],
)
def test_what_cannot_be_copied_is_refused(module, message):
    with pytest.raises(ConfigurationError, match=message):
        copy_of(module, CPU)


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_parametrized_modules_are_copied(wrap):
    module = network(wrap(nn.Linear(4, 4))).eval()
    inputs = torch.rand(3, 4)
    copied = copy_of(module, CPU)
    with evaluation_mode(copied):
        assert torch.equal(copied(inputs), module(inputs))
    assert not {id(p) for p in copied.parameters()} & {id(p) for p in module.parameters()}


def test_what_a_module_has_computed_is_copied_without_its_gradient():
    module = keeping_since_a_call()
    copied = copy_of(module, CPU)
    assert torch.equal(copied.attention, module.attention)
    assert torch.equal(copied.kept[1]["twice"][0], module.kept[1]["twice"][0])
    assert copied.kept[0] is copied.attention
    assert copied.attention.is_leaf and not copied.attention.requires_grad
    assert module.attention.requires_grad


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.DataParallel(network()), "it is a DataParallel: give what is in it"),
    ],
)
def test_what_cannot_be_called_with_other_weights_is_refused(module, message):
    check_takes_weights(network())
    with pytest.raises(ConfigurationError, match=message):
        check_takes_weights(module)


def modes(module: nn.Module) -> list[bool]:
    return [part.training for part in module.modules()]


def test_parts_stay_in_the_mode_they_were_left_in():
    module = network(nn.BatchNorm1d(4).eval(), nn.Dropout())
    copied = copy_of(module, CPU)
    assert modes(copied) == modes(module) == [True, True, True, False, True, True]
    assert resting_parts(copied) == ["0.1"]
    with evaluation_mode(copied):
        assert not any(modes(copied))
    assert modes(copied) == modes(module)
    with pytest.raises(ZeroDivisionError), evaluation_mode(copied):
        raise ZeroDivisionError
    assert modes(copied) == modes(module)


def test_a_module_in_use_is_trained_as_a_whole():
    assert all(modes(copy_of(network(nn.BatchNorm1d(4), nn.Dropout()).eval(), CPU)))


def test_a_part_may_decide_its_mode_by_itself():
    module = network(KeptInUse(4))
    assert resting_parts(copy_of(module, CPU)) == ["0.1"]
    assert resting_parts(copy_of(module.eval(), CPU)) == ["0.1"]


def test_parts_are_put_to_rest_by_name():
    module = network(nn.BatchNorm1d(4)).eval()
    put_to_rest(module, ["0.1"])
    assert resting_parts(module) == ["0.1"]


def test_gradients_of_embeddings_are_dense_in_the_copy_alone():
    for kind in (nn.Embedding, nn.EmbeddingBag):
        module = nn.Sequential(kind(5, 4, sparse=True), nn.Linear(4, 2))
        copied = copy_of(module, CPU)
        copied(torch.tensor([[1, 2]])).sum().backward()
        assert copied[0].weight.grad.layout is torch.strided
        assert module[0].sparse


def test_a_module_holds_other_weights_while_a_function_is_called():
    module = network(nn.BatchNorm1d(4))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    other = {name: torch.zeros_like(parameter) for name, parameter in module.named_parameters()}
    other["0.1.running_mean"] = torch.ones(4)

    def action():
        assert module[1].weight is other["1.weight"]
        return module(torch.rand(3, 4)).count_nonzero().item()

    assert holding(module, other, action) == 0
    torch.testing.assert_close(other["0.1.running_mean"], torch.full((4,), 0.9))
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]) or "num_batches" in name or "running_var" in name


def test_a_module_must_compute_with_the_weights_it_is_given():
    inputs = torch.rand(3, 4)
    normalized = network(parametrizations.weight_norm(nn.Linear(4, 4)))
    for module in (network(), network(nn.Dropout(), nn.BatchNorm1d(4)), normalized):
        before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        check_uses_weights(module, inputs)
        assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    borrowed, owner = network(), network()
    borrowed.forward = owner.forward
    with pytest.raises(ConfigurationError, match=r"does not compute with the weights that it is given, such as '0\.0"):
        check_uses_weights(borrowed, inputs)


def test_a_part_of_two_names_gets_its_own_tensors_back():
    """`functional_call` exchanges them once for each name, and would leave the others behind in it."""
    shared = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    module = nn.ModuleDict({"one": shared, "other": shared})
    module.forward = lambda inputs: module["other"](module["one"](inputs))
    before = dict([*module.named_parameters(), *module.named_buffers()])
    values = {name: tensor.detach().clone() for name, tensor in before.items()}
    given = {name: tensor.clone() for name, tensor in values.items()}
    given["one.0.weight"] = torch.zeros(2, 2)
    answer = holding(module, given, lambda: module.forward(torch.rand(3, 2)))
    after = dict([*module.named_parameters(), *module.named_buffers()])
    assert all(after[name] is tensor for name, tensor in before.items())
    assert all(torch.equal(before[name], value) for name, value in values.items())
    assert torch.allclose(answer, torch.zeros(3, 2), atol=1e-4)  # one row thrice, normalized
    assert given["one.1.num_batches_tracked"] == 2
