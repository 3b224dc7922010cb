"""The handwritten digits of 8×8 pixels that come with scikit-learn: real data without a download."""

from __future__ import annotations

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
    from sklearn import datasets  # takes most of a second: paid only by those who use this data

    digits = datasets.load_digits()
    images = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(digits.target.astype(np.int64))

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
