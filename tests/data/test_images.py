"""An ImageDataset refuses what does not fit together."""

import pytest
import torch
from jaxtyping import config as jaxtyping_config
from torch import Tensor

from hypermnesia.data import ImageDataset
from hypermnesia.errors import DataError


@pytest.fixture
def as_users_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time shape checks of the tests, which would speak before the package does."""
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)


def images(count: int = 4, height: int = 3) -> Tensor:
    return torch.zeros(count, 1, height, 3, dtype=torch.uint8)


def labels(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


@pytest.mark.usefixtures("as_users_run_it")
@pytest.mark.parametrize(
    ("train_images", "train_labels", "message"),
    [
        (images(), labels(0, 1, 0), "4 images but 3 labels"),
        (images(), labels(0, 1, 0, 2), "labels run from 0 to 2; with 2 classes they must lie in 0 to 1"),
        (images(), labels(0, 1, 0, -1), "labels run from -1 to 1"),
        (images(), labels(0, 1, 0, 1).float(), "labels must be int64"),
        (images().float(), labels(0, 1, 0, 1), "images must be uint8"),
        (images()[:, 0], labels(0, 1, 0, 1), r"of shape \[4, 3, 3\]"),
        (images(0), labels(), "there are no images"),
        (images(height=5), labels(0, 1, 0, 1), r"shape \[1, 5, 3\], test images \[1, 3, 3\]"),
    ],
)
def test_what_does_not_fit_has_its_message(train_images: Tensor, train_labels: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=f"toy.*{message}"):
        ImageDataset("toy", train_images, train_labels, images(), labels(0, 1, 1, 0), ("a", "b"))
