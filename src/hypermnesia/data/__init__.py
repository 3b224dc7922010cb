"""Data: published images by name, and files of one's own: pictures, arrays, anything in MNIST's format."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from hypermnesia.data.array_files import ArraysData
from hypermnesia.data.digits import load_digits
from hypermnesia.data.idx_folder import IdxData
from hypermnesia.data.images import ImageDataset
from hypermnesia.data.labeled import LabeledData
from hypermnesia.data.picture_folder import FolderData
from hypermnesia.data.source import DataSettings
from hypermnesia.errors import ConfigurationError, DataError, did_you_mean, shown

__all__ = [
    "DATASETS",
    "INSTALLED",
    "OWN_DATA",
    "ArraysData",
    "DataSettings",
    "FolderData",
    "IdxData",
    "ImageDataset",
    "LabeledData",
    "as_images",
    "as_labeled",
    "load",
]


def _in_files(module: str, name: str) -> Callable[[Path | str | None], ImageDataset]:
    def load_files(directory: Path | str | None) -> ImageDataset:
        # With the HTTP client, so only when it is wanted: not needed for the embedded digits.
        dataset: ImageDataset = getattr(importlib.import_module(f"hypermnesia.data.{module}"), name).load(directory)
        return dataset

    return load_files


DATASETS: dict[str, Callable[[Path | str | None], ImageDataset]] = {
    "digits": lambda directory: load_digits(),
    "mnist": _in_files("mnist", "MNIST"),
    "fashion-mnist": _in_files("mnist", "FASHION_MNIST"),
    "cifar-10": _in_files("cifar", "CIFAR_10"),
    "cifar-100": _in_files("cifar", "CIFAR_100"),
    "cifar-100-coarse": _in_files("cifar", "CIFAR_100_COARSE"),
}
"""The registry of datasets: functions that load them, from a directory or from where they are otherwise, by name."""

INSTALLED = {"digits"}
"""Datasets that are part of the installation; all others are read from files."""


OWN_DATA: tuple[type[DataSettings], ...] = (FolderData, ArraysData, IdxData)
"""The registry of kinds of data that settings can name, beside datasets by name."""


def load(name: str, directory: Path | str | None = None) -> ImageDataset:
    """Load a dataset by its name, one of `DATASETS`.

    Args:
        name: Name of the dataset. "digits" is part of the installation; "mnist" and "fashion-mnist" are IDX files;
            "cifar-10", "cifar-100" and "cifar-100-coarse" (with 20 labels) are the binary version of CIFAR.
        directory: Directory that holds these files, itself or in a folder called like the dataset (CIFAR's also in
            the published folder or archive); None for that in the environment variable `HYPERMNESIA_DATA`. If that
            is not set either, the files are downloaded once into the user's cache.

    Raises:
        ConfigurationError: There is no dataset of this name, or a directory is given for one that is installed.
        DataError: Its files are missing, unreachable, damaged, or not what was published.

    Example:
        >>> load("digits").test_images.shape
        torch.Size([360, 1, 8, 8])
    """
    if name not in list(DATASETS):  # a list is in no dictionary
        raise ConfigurationError(
            f"There is no dataset called {shown(name)}; there are {', '.join(DATASETS)}."
            f"{did_you_mean(str(name).lower(), DATASETS)}"
        )
    if name in INSTALLED and directory is not None:
        raise ConfigurationError(f"{name} are part of the installation, read from no directory: leave it out.")
    try:
        return DATASETS[name](directory)
    except OSError as error:  # where files are looked for, or kept
        raise DataError(f"{name}: {error.filename or directory} cannot be read ({error.strerror or error}).") from error


def as_images(dataset: ImageDataset | LabeledData | str, directory: Path | str | None = None) -> ImageDataset:
    """Return a dataset that may be given by its name.

    Args:
        dataset: Images, as such or as labeled data, or their name for :func:`load`.
        directory: As for :func:`load`; None for images.

    Raises:
        ConfigurationError: It is neither, there is no dataset of this name, or a directory is given to no use.
        DataError: The files of a dataset given by name are missing or damaged.
    """
    if isinstance(dataset, LabeledData):
        dataset = dataset.as_images()
    if isinstance(dataset, ImageDataset):
        if directory is not None:
            raise ConfigurationError("directory is where a dataset given by its name is read from: leave it out.")
        return dataset
    if not isinstance(dataset, str):
        raise ConfigurationError(
            f"a dataset must be an ImageDataset or one of the names {', '.join(DATASETS)}, not a"
            f" {type(dataset).__name__}"
        )
    return load(dataset, directory)


def as_labeled(dataset: ImageDataset | LabeledData | str, directory: Path | str | None = None) -> LabeledData:
    """Return images, which may be given by their name, as labeled data; such data as they are.

    Args:
        dataset: Labeled data, images, or their name for :func:`load`.
        directory: As for :func:`load`; None for anything but a name.

    Raises:
        ConfigurationError: It is neither, there is no dataset of this name, or a directory is given to no use.
        DataError: The files of a dataset given by name are missing or damaged.
    """
    if isinstance(dataset, LabeledData) and directory is None:
        return dataset
    return LabeledData.of_images(as_images(dataset, directory))
