"""Image datasets: embedded digits, MNIST and Fashion-MNIST."""

from __future__ import annotations

from pathlib import Path

from hypermnesia.data.digits import load_digits
from hypermnesia.data.images import ImageDataset
from hypermnesia.errors import ConfigurationError, did_you_mean

__all__ = ["NAMES", "ImageDataset", "load"]

NAMES = ("digits", "mnist", "fashion-mnist")
"""Names of the datasets that `load` reads."""


def load(name: str, directory: Path | str | None = None) -> ImageDataset:
    """Load a dataset by its name, one of `NAMES`.

    Args:
        name: Name of the dataset. "digits" is part of the installation; "mnist" and "fashion-mnist" are IDX files.
        directory: Directory that holds these files, itself or in a folder called like the dataset; None for that in
            the environment variable `HYPERMNESIA_DATA`. If that is not set either, the files are downloaded once
            into the user's cache.

    Raises:
        ConfigurationError: There is no dataset of this name.
        DataError: Its files are missing, unreachable, damaged, or not what was published.

    Example:
        >>> load("digits").test_images.shape
        torch.Size([360, 1, 8, 8])
    """
    if name == "digits":
        return load_digits()
    if name not in NAMES:
        raise ConfigurationError(
            f"There is no dataset called {name!r}; there are {', '.join(NAMES)}.{did_you_mean(name.lower(), NAMES)}"
        )

    from hypermnesia.data import mnist  # with the HTTP client: not needed for the embedded digits

    published = {dataset.name: dataset for dataset in (mnist.MNIST, mnist.FASHION_MNIST)}
    return published[name].load(directory)
