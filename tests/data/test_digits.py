"""The embedded digits: scikit-learn's, in a fixed split."""

import torch
from sklearn.datasets import load_digits

from hypermnesia import data


def test_every_digit_is_in_one_split_in_proportion() -> None:
    digits = data.load("digits")
    assert (len(digits.train_labels), len(digits.test_labels)) == (1437, 360)
    assert digits.test_labels.bincount().min() >= 34
    assert digits.test_labels.bincount().max() <= 37

    everything = torch.cat([digits.train_images, digits.test_images]).flatten(1)
    original = torch.from_numpy(load_digits().data * (255 / 16)).round().to(torch.uint8)
    assert sorted(everything.tolist()) == sorted(original.tolist())
    assert int(everything.max()) == 255


def test_the_split_never_changes() -> None:
    first, second = data.load("digits"), data.load("digits")
    assert torch.equal(first.test_images, second.test_images)
    assert first.test_labels[:12].tolist() == [0, 2, 4, 7, 1, 6, 8, 9, 5, 3, 0, 2]
