"""Where examples come from: embedded digits, MNIST and Fashion-MNIST."""

from __future__ import annotations

from pathlib import Path

from hypermnesia.data.digits import load_digits
from hypermnesia.data.images import ImageDataset
from hypermnesia.errors import ConfigurationError, did_you_mean

__all__ = ["NAMES", "ImageDataset", "load"]

NAMES = ("digits", "mnist", "fashion-mnist")
"""The datasets `load` knows."""


def load(name: str, directory: Path | str | None = None) -> ImageDataset:
    """A dataset by its name, one of `NAMES`.

    Args:
        name: "digits" is part of the installation; "mnist" and "fashion-mnist" are read from IDX files.
        directory: Where those files are, as such or in a folder called like the dataset. None: the
            environment variable `HYPERMNESIA_DATA`; if that is not set either, they are downloaded once into
            the user's cache.

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
