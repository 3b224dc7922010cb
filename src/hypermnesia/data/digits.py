"""The handwritten digits of 8×8 pixels that come with scikit-learn: real data without a download."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch

from hypermnesia.data.images import ImageDataset


def load_digits() -> ImageDataset:
    """Load 1,797 gray digits of 8×8 pixels, 1,437 for training and 360 for testing.

    The split is fixed: of the images sorted by digit every fifth is a test image, so each digit is
    represented in proportion. Gray levels 0 to 16 are stretched to 0 to 255.

    Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
    Repository, 1998; its test part, as shipped with scikit-learn.

    Example:
        >>> load_digits().train_images.shape
        torch.Size([1437, 1, 8, 8])
    """
    table = _table()
    images = torch.from_numpy(np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8)).view(-1, 1, 8, 8)
    labels = torch.from_numpy(table[:, -1].astype(np.int64))

    is_test = torch.zeros(len(labels), dtype=torch.bool)
    is_test[torch.argsort(labels, stable=True)[::5]] = True
    return ImageDataset(
        name="digits",
        train_images=images[~is_test],
        train_labels=labels[~is_test],
        test_images=images[is_test],
        test_labels=labels[is_test],
        class_names=tuple(str(digit) for digit in range(10)),
    )


def _table() -> np.ndarray:
    """A row of 64 gray levels and the digit for each image."""
    package = importlib.util.find_spec("sklearn")
    file = Path(package.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if package else None
    if file is not None and file.is_file():
        return np.loadtxt(file, delimiter=",")  # importing scikit-learn would take a second
    from sklearn import datasets

    digits = datasets.load_digits()
    return np.column_stack([digits.data, digits.target])
