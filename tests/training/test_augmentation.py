"""Random crops and flips, against their definition image by image."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch.nn import functional

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError
from hypermnesia.seeds import Seeds
from hypermnesia.training.augmentation import Augmentation, augmented


@given(
    number=st.integers(1, 5),
    channels=st.integers(1, 3),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    border=st.integers(0, 4),
    flip=st.booleans(),
    seed=st.integers(0, 10),
)
def test_each_image_is_one_of_its_crops_and_flips(number, channels, height, width, border, flip, seed):
    if not (border or flip):
        return
    images = torch.arange(1.0, 1 + number * channels * height * width).view(number, channels, height, width)
    changed = augmented(images, Augmentation(crop_border=border, flip=flip), Seeds(seed))
    assert changed.shape == images.shape
    for image, result in zip(functional.pad(images, [border] * 4), changed, strict=True):
        crops = [
            image[:, top : top + height, left : left + width]
            for top in range(2 * border + 1)
            for left in range(2 * border + 1)
        ]
        possible = crops + ([crop.flip(2) for crop in crops] if flip else [])
        assert any(torch.equal(result, crop) for crop in possible)


def test_all_crops_and_flips_are_drawn_alike():
    images = torch.arange(1.0, 5.0).view(1, 1, 2, 2).expand(40_000, -1, -1, -1)
    changed = augmented(images, Augmentation(crop_border=1, flip=True), Seeds(0))
    _, counts = changed.flatten(1).unique(dim=0, return_counts=True)
    assert len(counts) == 9 * 2
    torch.testing.assert_close(counts / 40_000, torch.full((18,), 1 / 18), atol=0.006, rtol=0)


def test_it_depends_on_the_seeds_alone():
    images, augmentation = torch.rand(8, 3, 6, 6), Augmentation(crop_border=2, flip=True)
    torch.manual_seed(0)
    one = augmented(images, augmentation, Seeds(3))
    torch.manual_seed(1)
    assert torch.equal(one, augmented(images, augmentation, Seeds(3)))
    assert not torch.equal(one, augmented(images, augmentation, Seeds(4)))


def test_without_effect_it_is_refused():
    with pytest.raises(ConfigurationError, match=r"augmentation: changes nothing.*set crop_border or flip"):
        hm.FineTuningLearner(torch.nn.Linear(4, 2), training={"augmentation": {}})


def test_inputs_that_are_no_images_are_refused_before_anything_is_learned():
    learner = hm.FineTuningLearner(torch.nn.Linear(4, 2), training={"augmentation": {"flip": True}})
    with pytest.raises(ConfigurationError, match=r"for images.*\[4\]: leave it out"):
        learner.learn((torch.rand(6, 4), torch.arange(6) % 2))
    assert learner.in_progress is None
