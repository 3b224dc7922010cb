"""ResNet and ZenkeNet: their published sizes, what they compute, and what they refuse."""

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.networks import NETWORKS, ResNetSettings, ZenkeNetSettings, resnet, zenkenet
from hypermnesia.networks.images import FirstConvolution, ImageNetworkSettings, Normalization, Normalized
from hypermnesia.networks.resnet import ResidualBlock

KINDS = [ResNetSettings(kind="resnet", depth=8, width=4), ZenkeNetSettings(kind="zenkenet")]


def num_weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_all_image_networks_are_tried_here():
    image_networks = {network for network in NETWORKS if issubclass(network, ImageNetworkSettings)}
    assert {type(settings) for settings in KINDS} == image_networks


def test_sizes_are_the_published_ones():
    # He et al. 2016, table 6, in millions; layers with weights as the name says.
    for depth, millions in ((20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)):
        network = resnet(3, 10, depth)
        assert num_weights(network) / 1e6 == pytest.approx(millions, abs=0.05 if depth == 110 else 0.006)
        assert sum(isinstance(layer, (nn.Conv2d, nn.Linear)) for layer in network.modules()) == depth
    # Von Oswald et al. 2020: 1,276,508 with six heads of ten.
    assert num_weights(zenkenet((3, 32, 32), 10)) == 1_276_508 - 5 * 513 * 10


def test_a_shortcut_takes_every_second_pixel_and_adds_zeros():
    block = ResidualBlock(2, 5, stride=2).eval()
    nn.init.zeros_(block.norm2.weight)  # nothing but the shortcut is left
    images = torch.rand(3, 2, 6, 6)
    with torch.no_grad():
        result = block(images)
    assert result.shape == (3, 5, 3, 3)
    assert torch.equal(result[:, 1:3], images[:, :, ::2, ::2])
    assert result[:, [0, 3, 4]].count_nonzero() == 0


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: settings.kind)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 13, 17), (4, 10, 10)])
def test_any_images_will_do(settings, shape):
    network = settings.build(shape, 7)
    assert network(torch.rand(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: settings.kind)
@pytest.mark.parametrize("shape", [(64,), (3, 2, 2), (8, 8), (2, 3, 32, 32)])
def test_what_is_no_image_is_refused(settings, shape):
    with pytest.raises(ConfigurationError, match=rf"network.kind={settings.kind} takes images.*choose another"):
        settings.build(shape, 7)


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: settings.kind)
def test_normalization_is_the_first_layer(settings):
    mean, deviation = (0.1, 0.5, 0.9), (0.2, 0.3, 0.4)
    normalizing = settings.model_copy(update={"normalization": Normalization(mean=mean, deviation=deviation)})
    torch.manual_seed(0)
    plain = settings.build((3, 12, 12), 4).eval()
    torch.manual_seed(0)
    network = normalizing.build((3, 12, 12), 4).eval()
    images = torch.rand(5, 3, 12, 12)
    by_hand = (images - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[:, None, None]
    torch.testing.assert_close(network(images), plain(by_hand))
    with pytest.raises(ConfigurationError, match=r"normalization.mean has 3 numbers, but .* 1 channels"):
        normalizing.build((1, 12, 12), 4)


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("network.depth", 31, "must be 6 n \\+ 2 .* as 26 or 32"),
        ("network.depth", 2, "network.depth"),
        ("network.normalization", {"mean": [0.5], "deviation": [0]}, "network.normalization.deviation"),
        ("network.dept", 20, "Did you mean 'depth'"),
    ],
)
def test_wrong_settings_are_refused(place, value, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        load_experiment("split-digits", {"network.kind": "resnet", place: value})


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: settings.kind)
def test_channels_lie_side_by_side_and_nothing_else_changes(settings):
    network = settings.build((3, 12, 12), 4).double().eval()
    images = torch.rand(5, 3, 12, 12, dtype=torch.float64)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    side_by_side = []
    for layer in convolutions:
        layer.register_forward_hook(
            lambda _, inputs, output: side_by_side.append(output.is_contiguous(memory_format=torch.channels_last))
        )
    answer = network(images)
    assert side_by_side == [True] * len(convolutions)
    assert type(convolutions[0]) is FirstConvolution
    convolutions[0].__class__ = nn.Conv2d
    torch.testing.assert_close(network(images), answer)


def test_each_task_keeps_its_statistics():
    """Tasks of different brightness: with the statistics of another one, a task's answers change."""
    network = nn.Sequential(Normalized([0.5], [0.25]), resnet(1, 2, depth=8, width=4))
    learner = hm.HypernetworkLearner(
        network, hidden=(), chunk_size=300, training={"epochs": 25, "batch_size": 8, "learning_rate": 1e-2}
    )
    tasks = []
    for number in range(2):
        labels = torch.arange(24) % 2
        images = 0.2 * torch.rand(24, 1, 8, 8) + 0.7 * number
        images[:, :, :4] += 0.1 * labels[:, None, None, None]
        tasks.append((images, labels))
        learner.learn(tasks[-1])
    statistics = [learner._network.of_task(number) for number in range(2)]
    names = {name for name in dict(network.named_buffers()) if "running" in name or "tracked" in name}
    assert [set(of_task) for of_task in statistics] == [names, names]  # and not the constants of the first layer
    assert all(not torch.equal(statistics[0][name], statistics[1][name]) for name in names if "running" in name)
    assert [learner.score(task, task=number) for number, task in enumerate(tasks)] == [1.0, 1.0]
