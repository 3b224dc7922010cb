"""Encoders and decoders: shapes that fit each other, for images of any size, and perceptrons as they were."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hypermnesia.errors import ConfigurationError
from hypermnesia.networks import mlp
from hypermnesia.networks.coding import decoder, encoder, halved


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 4), st.integers(1, 19), st.integers(1, 19), st.lists(st.integers(1, 3), max_size=1))
def test_what_is_decoded_has_the_shape_of_what_was_encoded(data, colors, height, width, hidden):
    most = 0
    while min(height, width) >> (most + 1):
        most += 1
    channels = data.draw(st.lists(st.integers(1, 5), max_size=most))
    shape = (colors, height, width)
    images = torch.rand(2, *shape)
    encode, decode = encoder(shape, channels, hidden, 6), decoder(6, hidden, channels, shape)
    code = encode(images)
    assert code.shape == (2, 6)
    assert torch.equal(encode(images.flatten(1)), code)
    assert decode(code).shape == (2, colors * height * width)
    for too_many in ([1] * (most + 1), [1] * (most + 2)):
        for make in (lambda c: encoder(shape, c, (), 6), lambda c: decoder(6, (), c, shape)):
            with pytest.raises(ConfigurationError, match=rf"{len(too_many)} convolutions.*too many"):
                make(too_many)


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 9, 13), (1, 32, 32)])
@pytest.mark.parametrize("channels", [(4,), (4, 6)])
def test_every_pixel_is_encoded_and_decoded_and_every_weight_counts(shape, channels):
    torch.manual_seed(0)
    # So smooth that no unit is without a slope.
    encode, decode = encoder(shape, channels, (7,), 6, "tanh"), decoder(6, (7,), channels, shape, "tanh")
    images = torch.rand(3, *shape, requires_grad=True)
    outputs = decode(encode(images))
    outputs.square().sum().backward()
    lit = images.grad.ne(0).any(0)
    # Windows of four pixels at every second place leave out nothing but the last row or column of an odd size.
    assert lit[:, : shape[1] // 2 * 2, : shape[2] // 2 * 2].all()
    for parameter in [*encode.parameters(), *decode.parameters()]:
        assert parameter.grad.ne(0).all()
    assert outputs.std(0).gt(0).all()


@pytest.mark.parametrize("shape", [(8,), (3, 4, 4), (2, 3)])
def test_without_channels_they_are_perceptrons_bit_for_bit(shape):
    numbers = torch.Size(shape).numel()
    for make, same in (
        (lambda: encoder(shape, (), (5, 4), 6, "elu"), lambda: mlp(numbers, (5, 4), 6, "elu")),
        (lambda: decoder(6, (5, 4), (), shape, "elu"), lambda: mlp(6, (5, 4), numbers, "elu")),
    ):
        torch.manual_seed(0)
        made = make()
        torch.manual_seed(0)
        expected = same()
        assert made.state_dict().keys() == expected.state_dict().keys()
        for one, other in zip(made.parameters(), expected.parameters(), strict=True):
            assert torch.equal(one, other)


def test_the_scale_of_a_signal_lasts():
    """Weights are drawn so that neither convolutions nor what is before them shrink or blow up what passes."""
    torch.manual_seed(0)
    images = torch.randn(20, 3, 32, 32)
    encode, decode = encoder((3, 32, 32), (32, 64), (100,), 20), decoder(20, (100,), (32, 64), (3, 32, 32))
    for network, inputs in ((encode, images), (decode, torch.randn(20, 20))):
        assert 0.05 < network(inputs).std() < 2
        assert all(layer.bias.eq(0).all() for layer in network if isinstance(layer, (nn.Linear, nn.Conv2d)))


@pytest.mark.parametrize("shape", [(), (64,), (8, 8), (1, 1, 8, 8)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ConfigurationError, match=r"for images \[channels, height, width\], but inputs have shape"):
        halved(shape, (4,))


def test_the_smallest_images_have_no_convolutions():
    with pytest.raises(ConfigurationError, match=r"inputs of shape \[3, 1, 8\]: leave channels empty"):
        halved((3, 1, 8), (4,))
    assert halved((3, 1, 8), ()) == [(3, 1, 8)]
