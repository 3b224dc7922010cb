"""MNIST and Fashion-MNIST: four IDX files each, from a local directory or downloaded once."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from hypermnesia.data import download, idx, places
from hypermnesia.data.images import ImageDataset
from hypermnesia.errors import DataError


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """One IDX file as its authors published it.

    Args:
        name: Name of the file without `.gz`.
        shape: Shape of the array, which the file's header must announce.
        content_sha256: SHA-256 of the decompressed content, checked wherever the file comes from; None where unknown.
        gzip_sha256: SHA-256 of the compressed file as published. Checked for downloads only, since whoever compresses
            the same content again gets other bytes.
    """

    name: str
    shape: tuple[int, ...]
    content_sha256: str | None = None
    gzip_sha256: str | None = None

    def read(self, path: Path) -> UInt8[Tensor, "..."]:
        """Read the array in the file at `path`, gzipped or not, and check its shape and content."""
        content = idx.read_bytes(path, 4 + 4 * len(self.shape) + math.prod(self.shape))
        array = idx.parse(content, path)
        if tuple(array.shape) != self.shape:
            raise DataError(
                f"{path}: holds an array of shape {list(array.shape)}, but {self.name} has shape {list(self.shape)}."
            )
        digest = hashlib.sha256(content).hexdigest()
        if self.content_sha256 is None and digest in _MNIST_CONTENTS:
            raise DataError(
                f"{path}: this is MNIST's {self.name}. The files of both datasets have the same names: keep "
                "them in folders of their own, mnist and fashion-mnist."
            )
        if self.content_sha256 not in (None, digest):
            raise DataError(
                f"{path}: its content is not that of the published {self.name} (SHA-256 {digest}, expected "
                f"{self.content_sha256}); fetch it anew."
            )
        return array

    def read_download(self, path: Path) -> UInt8[Tensor, "..."]:
        """Read a file as it came from a mirror: as `read`, with its compressed form checked too."""
        array = self.read(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if self.gzip_sha256 not in (None, digest):
            raise DataError(
                f"{path}: is not {self.name}.gz as published (SHA-256 {digest}, expected {self.gzip_sha256})."
            )
        return array


@dataclasses.dataclass(frozen=True)
class IdxDataset:
    """A dataset published as four IDX files: gray images and labels, for training and for testing.

    Args:
        name: Name of the dataset, and of the folder in which its files are looked for.
        train_images: File of the training images, an array `[n, height, width]`.
        train_labels: File of their labels, `[n]`.
        test_images: File of the test images, `[m, height, width]`.
        test_labels: File of their labels, `[m]`.
        class_names: Names of the classes, in the order of their labels.
        mirrors: Addresses of folders that hold the four files gzipped, the best first; each ends in a slash.
    """

    name: str
    train_images: PublishedFile
    train_labels: PublishedFile
    test_images: PublishedFile
    test_labels: PublishedFile
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]

    def load(self, directory: Path | str | None = None, cache: Path | str | None = None) -> ImageDataset:
        """Read the four files, from `directory` or else from the download cache.

        Args:
            directory: Directory that holds the files, gzipped or not, itself or in a folder called like the dataset;
                nothing is ever downloaded into it. None for that in the environment variable `HYPERMNESIA_DATA`; if
                that is not set either, the files are downloaded on first use.
            cache: Folder that keeps downloads; None for the user's cache folder.

        Raises:
            DataError: A file is missing, unreachable, damaged, or not what was published.
        """
        named = places.named(directory)
        if named is not None:
            read = functools.partial(self._read_local, places.folders(named, self.name)[0])
        else:
            read = functools.partial(self._read_cached, places.cached(self.name, cache))
        return ImageDataset(
            name=self.name,
            train_images=read(self.train_images).unsqueeze(1),
            train_labels=read(self.train_labels).to(torch.int64),
            test_images=read(self.test_images).unsqueeze(1),
            test_labels=read(self.test_labels).to(torch.int64),
            class_names=self.class_names,
        )

    def _read_local(self, folder: Path, file: PublishedFile) -> Tensor:
        for path in (folder / file.name, folder / f"{file.name}.gz"):
            if path.exists():
                return file.read(path)
        names = [f.name for f in (self.train_images, self.train_labels, self.test_images, self.test_labels)]
        raise DataError(
            f"{folder}: {file.name} is not there, with or without .gz. {self.name} needs {', '.join(names)}, "
            f"in this folder or in one called {self.name} inside it. Name the folder that holds them, or "
            f"none (and unset {places.DIRECTORY_VARIABLE}) to download them."
        )

    def _read_cached(self, folder: Path, file: PublishedFile) -> Tensor:
        return download.fetch(f"{file.name}.gz", self.mirrors, folder, file.read_download)


def _by_field(files: Iterable[PublishedFile]) -> dict[str, PublishedFile]:
    return dict(zip(("train_images", "train_labels", "test_images", "test_labels"), files, strict=True))


_FILES = (
    PublishedFile("train-images-idx3-ubyte", (60_000, 28, 28)),
    PublishedFile("train-labels-idx1-ubyte", (60_000,)),
    PublishedFile("t10k-images-idx3-ubyte", (10_000, 28, 28)),
    PublishedFile("t10k-labels-idx1-ubyte", (10_000,)),
)
_MNIST_CONTENTS = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
_FASHION_MNIST_GZIPPED = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)

MNIST = IdxDataset(
    "mnist",
    **_by_field(dataclasses.replace(f, content_sha256=d) for f, d in zip(_FILES, _MNIST_CONTENTS, strict=True)),
    class_names=tuple(str(digit) for digit in range(10)),
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
)
"""Handwritten digits: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-based learning applied to
document recognition*, 1998. Every file, local or downloaded, is checked by the SHA-256 of its content."""

_CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

FASHION_MNIST = IdxDataset(
    "fashion-mnist",
    **_by_field(dataclasses.replace(f, gzip_sha256=d) for f, d in zip(_FILES, _FASHION_MNIST_GZIPPED, strict=True)),
    class_names=_CLOTHES,
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
)
"""Articles of clothing: H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747. Downloads are checked by the published
checksums, which are those of the gzipped files. Local files are checked for structure, counts and labels only, and
that they are not MNIST's, whose names they share."""
