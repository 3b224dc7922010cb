"""Any set of images in MNIST's format, in a folder of somebody's own."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from hypermnesia.data import idx
from hypermnesia.data.labeled import LabeledData
from hypermnesia.data.source import DataSettings, Text, existing
from hypermnesia.errors import DataError

_DIGITS = tuple(string.digits)
_BALANCED = (*_DIGITS, *string.ascii_uppercase, *"abdefghnqrt")
CLASS_NAMES: dict[str, tuple[str, ...]] = {
    "mnist": _DIGITS,
    "fashion-mnist": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    "emnist-digits": _DIGITS,
    "emnist-mnist": _DIGITS,
    "emnist-letters": tuple(string.ascii_uppercase),
    "emnist-balanced": _BALANCED,
    "emnist-bymerge": _BALANCED,
    "emnist-byclass": (*_DIGITS, *string.ascii_uppercase, *string.ascii_lowercase),
}
"""Names of the classes of published sets, in the order of their labels.

Source: H. Xiao et al., arXiv 1708.07747 (Fashion-MNIST); T. Clanuwat et al., arXiv 1812.01718 (KMNIST); G. Cohen et
al., arXiv 1702.05373 (EMNIST)."""


if TYPE_CHECKING:
    SetName = str
else:
    SetName = Literal[tuple(CLASS_NAMES)]


class IdxData(DataSettings):
    """Settings of four files in MNIST's format, gzipped or not: images and labels, for training and for testing.

    Example:
        >>> IdxData(kind="idx", path="kmnist", name="kmnist").name
        'kmnist'
    """

    paths = ("path",)
    kind: Literal["idx"]
    path: Text
    """Folder of the files, called `train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, … as MNIST's are, or with the
    name of the set in front, as `emnist-letters-train-images-idx3-ubyte`."""
    name: SetName | None = None
    """A published set, as kmnist, fashion-mnist or emnist-letters, whose classes have names; null for any other, whose
    classes are called by their numbers."""

    def load(self, directory: Path | None = None) -> LabeledData:
        """Read the four files."""
        folder = existing(self.path, "a folder of files in MNIST's format", folder=True)
        prefix = f"{self.name}-" if (self.name or "").startswith("emnist") else ""
        read = {}
        beginnings = {"train": ("train",), "test": ("t10k", "test")}
        for split, names in beginnings.items():
            for what in ("images-idx3", "labels-idx1"):
                candidates = [f"{start}{name}-{what}-ubyte" for start in dict.fromkeys((prefix, "")) for name in names]
                read[f"{split} {what[:6]}"] = _read(folder, candidates)
        labels, test_labels = read["train labels"].long(), read["test labels"].long()
        images, test_images = (self._images(read[f"{split} images"]) for split in ("train", "test"))
        for split, some, of in (("training", images, labels), ("test", test_images, test_labels)):
            if of.ndim != 1 or len(some) != len(of) or not len(of):
                raise DataError(f"{folder}: {len(some)} {split} images but {len(of)} labels; each image needs one.")
        present = labels.unique()  # letters of EMNIST count from 1
        class_names = self._class_names(present.tolist())
        if len(strangers := test_labels[~torch.isin(test_labels, present)]):
            raise DataError(
                f"{folder}: test images have the label {int(strangers[0])}, of which there are no training images; take"
                " them out, or give some for training."
            )
        numbers = (torch.searchsorted(present, each) for each in (labels, test_labels))
        labels, test_labels = numbers
        return LabeledData(self.name or folder.name, images, labels, test_images, test_labels, class_names)

    def _images(self, images: Tensor) -> Tensor:
        if images.ndim != 3:
            raise DataError(f"{self.path}: images must be [n, height, width], not {list(images.shape)}.")
        # EMNIST is stored column by column.
        return (images.mT.contiguous() if (self.name or "").startswith("emnist") else images)[:, None]

    def _class_names(self, labels: Sequence[int]) -> tuple[str, ...]:
        if self.name not in CLASS_NAMES:
            return tuple(map(str, labels))
        known = CLASS_NAMES[self.name]
        first = 1 if self.name == "emnist-letters" else 0
        if not labels[0] - first >= 0 or labels[-1] - first >= len(known):
            raise DataError(
                f"{self.path}: labels go from {labels[0]} to {labels[-1]}, but {self.name} has"
                f" {first} to {first + len(known) - 1}: leave data.name out if it is another set."
            )
        return tuple(known[label - first] for label in labels)


def _read(folder: Path, names: Sequence[str]) -> Tensor:
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.exists():
                return idx.parse(idx.read_bytes(path), path)
    raise DataError(f"{folder}: {' or '.join(names)} is not there, with or without .gz.")
