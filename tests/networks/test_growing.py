"""GrowingClassifier: outputs come and go, and the others do not notice."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hypermnesia.errors import ConfigurationError
from hypermnesia.networks import GrowingClassifier, mlp
from hypermnesia.networks.growing import ends_in, head_of
from tests.zoo import Function


class Named(nn.Module):
    """Somebody's network, which is no Sequential."""

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 5))
        self.head = nn.Linear(5, 7, bias=bias)

    def forward(self, images):
        return self.head(self.body(images))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (nn.Linear(4, 3), torch.rand(6, 4)),
        (mlp(16, (5, 4), 3), torch.rand(6, 1, 4, 4)),
        (Named(), torch.rand(6, 1, 4, 4)),
    ],
)
def test_a_head_starts_without_outputs_and_the_module_is_left_alone(module, inputs):
    before = copy.deepcopy(module.state_dict())
    classifier = GrowingClassifier(module)
    assert classifier.num_outputs == 0
    assert classifier(inputs).shape == (6, 0)
    classifier.grow(2)
    classifier.grow(3)
    assert classifier.num_outputs == 5
    assert classifier(inputs).shape == (6, 5)
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.zero_()
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_the_layers_before_the_head_start_as_they_are_in_the_module():
    module = Named()
    classifier = GrowingClassifier(module)
    classifier.grow(1)
    images = torch.rand(3, 1, 4, 4)
    features = module.body(images)
    logits = classifier(images)
    module.head = nn.Linear(5, 1)
    module.head.load_state_dict({n.split(".")[-1]: v for n, v in classifier.state_dict().items() if ".head." in n})
    assert torch.equal(logits, module.head(features))


@given(steps=st.lists(st.integers(0, 4), min_size=1, max_size=5), bias=st.booleans())
def test_old_outputs_stay_bit_for_bit(steps, bias):
    classifier = GrowingClassifier(Named(bias))
    images = torch.rand(3, 1, 4, 4)
    for step in steps:
        before = {name: value.clone() for name, value in classifier.state_dict().items()}
        classifier.grow(step)
        for name, value in classifier.state_dict().items():
            assert torch.equal(value[: len(before[name])], before[name])
        with_more = classifier(images)
        classifier.shrink(step)
        assert classifier.state_dict().keys() == before.keys()
        assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
        classifier.grow(step)
        assert classifier(images).shape == with_more.shape
    assert classifier.num_outputs == sum(steps)


def test_new_outputs_start_as_in_a_xavier_uniform_layer_without_bias():
    classifier = GrowingClassifier(nn.Linear(9, 2))
    classifier.grow(4, generator(3))
    weight, bias = classifier.parameters()
    torch.testing.assert_close(weight, nn.init.xavier_uniform_(torch.empty(4, 9), generator=generator(3)))
    assert torch.equal(bias, torch.zeros(4))
    # Of more outputs each weighs less.
    classifier.grow(300, generator(3))
    assert classifier.state_dict()["module.weight"][4:].abs().max() < math.sqrt(6 / (9 + 304))


def test_one_generator_gives_the_same_outputs_and_leaves_the_global_one_alone():
    first, second = GrowingClassifier(mlp(9, (4,), 2)), GrowingClassifier(mlp(9, (4,), 2))
    state = torch.get_rng_state()
    for classifier in (first, second):
        classifier.grow(3, generator(1))
    assert torch.equal(torch.get_rng_state(), state)
    names = list(first.state_dict())[-2:]
    assert all(torch.equal(first.state_dict()[name], second.state_dict()[name]) for name in names)


def test_shrinking_drops_the_newest():
    classifier = GrowingClassifier(nn.Linear(4, 1))
    classifier.grow(5)
    inputs = torch.rand(3, 4)
    before = classifier(inputs)
    classifier.shrink(2)
    torch.testing.assert_close(classifier(inputs), before[:, :3])
    classifier.shrink(3)
    assert classifier(inputs).shape == (3, 0)


def test_a_head_without_bias_stays_without():
    classifier = GrowingClassifier(Named(bias=False))
    classifier.grow(3)
    classifier.shrink(1)
    assert [name for name in classifier.state_dict() if "head" in name] == ["module.head.weight"]


@pytest.mark.parametrize("to", [torch.float64, torch.bfloat16, torch.device("meta")], ids=str)
def test_type_and_device_are_kept(to):
    classifier = GrowingClassifier(mlp(9, (4,), 2)).to(to)
    classifier.grow(2, generator())
    classifier.to(to).grow(3, generator())
    assert len({(parameter.dtype, parameter.device) for parameter in classifier.parameters()}) == 1
    assert to in (next(classifier.parameters()).dtype, next(classifier.parameters()).device)


def test_every_output_learns_after_growth():
    classifier = GrowingClassifier(mlp(9, (4,), 2))
    classifier.grow(2)
    classifier.grow(2)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1)
    nn.functional.cross_entropy(classifier(torch.rand(4, 9)), torch.tensor([0, 1, 2, 3])).backward()
    optimizer.step()
    *_, weight, bias = before
    assert (classifier.state_dict()[weight] != before[weight]).any(1).all()
    assert (classifier.state_dict()[bias] != before[bias]).all()


def test_a_state_goes_into_a_classifier_that_has_grown_as_far():
    first, second = GrowingClassifier(Named()), GrowingClassifier(Named())
    first.grow(3)
    second.grow(3)
    second.load_state_dict(first.state_dict())
    images = torch.rand(2, 1, 4, 4)
    assert torch.equal(first(images), second(images))
    assert torch.equal(copy.deepcopy(first)(images), first(images))


def test_a_convolution_is_a_head_too():
    """Of outputs for every pixel, or of what is made of their mean."""
    images = torch.rand(3, 1, 4, 4)
    for behind, shape in (([], (3, 5, 4, 4)), ([nn.AdaptiveAvgPool2d(1), nn.Flatten()], (3, 5))):
        module = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1), *behind)
        assert head_of(module, images) == "2"
        classifier = GrowingClassifier(module, "2")
        classifier.grow(3, generator())
        kept = classifier(images)
        classifier.grow(2, generator())
        assert classifier(images).shape == shape
        torch.testing.assert_close(classifier(images)[:, :3], kept)
        assert classifier.with_outputs(slice(1, 3))(images).shape == (3, 2, *shape[2:])
        classifier.shrink(4)
        assert classifier.num_outputs == classifier.module[2].out_channels == 1


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.ReLU()), r"Sequential has no nn\.Linear .*: put one behind it"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), r"'1', has no width yet: call the module once"),
    ],
)
def test_a_module_without_a_head_that_can_grow_is_refused(module, message):
    with pytest.raises(ConfigurationError, match=message):
        GrowingClassifier(module)


def test_a_lazy_head_that_knows_its_width_grows():
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    module(torch.rand(2, 5))
    classifier = GrowingClassifier(module)
    classifier.grow(2)
    assert classifier(torch.rand(2, 5)).shape == (2, 2)


def test_impossible_numbers_of_outputs_are_refused():
    classifier = GrowingClassifier(nn.Linear(4, 3))
    classifier.grow(2)
    with pytest.raises(ConfigurationError, match="not by -1"):
        classifier.grow(-1)
    for wrong in (3, -1):
        with pytest.raises(ConfigurationError, match=f"2 outputs cannot drop {wrong}"):
            classifier.shrink(wrong)
    assert classifier.num_outputs == 2


def overwritten(outputs: torch.Tensor) -> torch.Tensor:
    outputs[:, 0] = 0
    return outputs


@pytest.mark.parametrize("behind", [torch.relu_, torch.sigmoid_, lambda o: o.mul_(2), overwritten])
def test_a_module_that_overwrites_what_its_head_gave_does_not_end_in_it(behind):
    def module(after) -> nn.Module:
        return Function(lambda net, x: after(net.head(x)), head=nn.Linear(4, 3))

    inputs = torch.rand(5, 4)
    assert head_of(module(behind), inputs) == "head"
    assert not ends_in(module(behind), "head", inputs)
    assert ends_in(module(lambda outputs: outputs.view(-1, 3)), "head", inputs)
