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
        content: Digest of the decompressed content, as `sha256:…` or `md5:…`, checked wherever the file comes from.
        gzip_sha256: SHA-256 of the compressed file as published; None where unknown. Checked for downloads only, since
            whoever compresses the same content again gets other bytes.
    """

    name: str
    shape: tuple[int, ...]
    content: str
    gzip_sha256: str | None = None

    def read(self, path: Path) -> UInt8[Tensor, "..."]:
        """Read the array in the file at `path`, gzipped or not, and check its shape and content."""
        content = idx.read_bytes(path, 4 + 4 * len(self.shape) + math.prod(self.shape))
        array = idx.parse(content, path)
        if tuple(array.shape) != self.shape:
            raise DataError(
                f"{path}: holds an array of shape {list(array.shape)}, but {self.name} has shape {list(self.shape)}."
            )
        if _digest(self.content, content) != self.content:
            for dataset in (MNIST, FASHION_MNIST):
                if any(_digest(file.content, content) == file.content for file in dataset.files):
                    raise DataError(
                        f"{path}: this is {dataset.name}'s {self.name}. The files of several datasets have the same"
                        " names: keep them in folders of their own, such as mnist and fashion-mnist."
                    )
            raise DataError(
                f"{path}: its content is not that of the published {self.name} ({_digest(self.content, content)},"
                f" expected {self.content}). Other datasets, such as KMNIST, have files of the same names. Fetch it"
                " anew; images of your own make a hypermnesia.data.ImageDataset, with class names of their own."
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

    @property
    def files(self) -> tuple[PublishedFile, ...]:
        """Its four files."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels

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
        names = ", ".join(each.name for each in self.files)
        raise DataError(
            f"{folder}: {file.name} is not there, with or without .gz. {self.name} needs {names}, "
            f"in this folder or in one called {self.name} inside it. Name the folder that holds them, or "
            f"none (and unset {places.DIRECTORY_VARIABLE}) to download them."
        )

    def _read_cached(self, folder: Path, file: PublishedFile) -> Tensor:
        return download.fetch(f"{file.name}.gz", self.mirrors, folder, file.read_download)


def _digest(like: str, content: bytes) -> str:
    """Digest of a content, of the same kind and form as another."""
    kind = like.partition(":")[0]
    return f"{kind}:{hashlib.new(kind, content, usedforsecurity=False).hexdigest()}"


def _files(digests: Iterable[tuple[str, str | None]]) -> dict[str, PublishedFile]:
    """The four files by field, from the digests of each: of its content, and of the compressed file."""
    fields = ("train_images", "train_labels", "test_images", "test_labels")
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    shapes = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
    files = (PublishedFile(name, shape, *each) for name, shape, each in zip(names, shapes, digests, strict=True))
    return dict(zip(fields, files, strict=True))


MNIST = IdxDataset(
    "mnist",
    **_files(
        (
            ("sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", None),
            ("sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", None),
            ("sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", None),
            ("sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", None),
        )
    ),
    class_names=tuple(str(digit) for digit in range(10)),
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
)
"""Handwritten digits: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-based learning applied to
document recognition*, 1998. Every file, local or downloaded, is checked by the SHA-256 of its content."""

_CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

FASHION_MNIST = IdxDataset(
    "fashion-mnist",
    **_files(
        (
            (
                "md5:f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            (
                "md5:9018921c3c673c538a1fc5bad174d6f9",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            (
                "md5:8181f5470baa50b63fa0f6fddb340f0a",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            (
                "md5:15d484375f8d13e6eb1aabb0c3f46965",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        )
    ),
    class_names=_CLOTHES,
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
)
"""Articles of clothing: H. Xiao, K. Rasul, R. Vollgraf, arXiv 1708.07747. Every file, local or downloaded, is
checked by the MD5 of its content, by which several projects know it, and downloads by the SHA-256 of the gzipped file,
too."""
