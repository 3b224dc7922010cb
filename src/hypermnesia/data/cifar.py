"""CIFAR-10 and CIFAR-100 in their binary version: from a local directory or archive, or downloaded once."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from hypermnesia.data import download, places
from hypermnesia.data.archive import read_members
from hypermnesia.data.images import ImageDataset
from hypermnesia.data.records import read_records
from hypermnesia.errors import DataError, note

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_LARGEST_TEXT = 1 << 16
"""Bytes that a list of names may have, a hundred times those of the published ones."""


@dataclasses.dataclass(frozen=True)
class RecordFile:
    """One file of records as its authors published it.

    Args:
        name: Name of the file.
        records: Number of its records, each an image with its labels.
        sha256: SHA-256 of its content.
    """

    name: str
    records: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class CifarDataset:
    """A dataset published as files of records: color images of 32×32 pixels and their labels.

    A record is the label bytes, then 32×32 bytes of red, of green and of blue, row by row.

    Args:
        name: Name of the dataset.
        family: Name of the dataset that is published, which may be labeled in several ways.
        folder: Folder of the files in the published archive.
        archive_sha256: SHA-256 of that archive, which is called FAMILY-binary.tar.gz.
        training: Files of the training images, in order.
        test: File of the test images.
        names: Names of the classes of each label byte, in the order of the bytes, by the file that lists them.
        label: Which of the label bytes is the label.
        coarse: The first label byte that belongs to each value of the second one; None where there is no second one.
        pickled: Files of the version of the same dataset for Python, which are never read.
        mirrors: Addresses of folders that hold the archive, the best first; each ends in a slash.
    """

    name: str
    family: str
    folder: str
    archive_sha256: str
    training: tuple[RecordFile, ...]
    test: RecordFile
    names: Mapping[str, tuple[str, ...]]
    label: int
    coarse: tuple[int, ...] | None
    pickled: tuple[str, ...]
    mirrors: tuple[str, ...] = ("https://www.cs.toronto.edu/~kriz/",)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""
        return list(self.names.values())[self.label]

    @property
    def archive(self) -> str:
        """Name of the published archive."""
        return f"{self.family}-binary.tar.gz"

    @property
    def record_bytes(self) -> int:
        """Size of a record."""
        return len(self.names) + _PIXELS

    @property
    def files(self) -> tuple[RecordFile, ...]:
        """All files of records."""
        return (*self.training, self.test)

    def load(self, directory: Path | str | None = None, cache: Path | str | None = None) -> ImageDataset:
        """Read the images, from `directory` or else from the download cache.

        Local files may be others than the published ones, if they have their form, and either as many records in
        each or fewer in each; a note says so.

        Args:
            directory: Directory that holds the files, the published folder with them, a folder called like the
                dataset, or the published archive; nothing is ever downloaded into it. None for that in the
                environment variable `HYPERMNESIA_DATA`; if that is not set either, the archive is downloaded on
                first use.
            cache: Folder that keeps downloads; None for the user's cache folder.

        Raises:
            DataError: A file is missing, unreachable, damaged, or not what it is called.
        """
        named = places.named(directory)
        if named is None:
            return download.fetch(self.archive, self.mirrors, places.cached(self.family, cache), self._read_download)
        for folder in (candidates := self._candidates(named)):
            if any((folder / file.name).exists() for file in self.files):
                return self._read_folder(folder)
        for folder in candidates:
            if (folder / self.archive).exists():
                return self._read_archive(folder / self.archive, published=False)
        raise DataError(self._missing(named, candidates))

    def _candidates(self, directory: Path) -> list[Path]:
        inside = places.folders(directory, self.name, self.family)
        return list(dict.fromkeys(folder for outer in inside for folder in places.folders(outer, self.folder)))

    def _missing(self, directory: Path, candidates: Iterable[Path]) -> str:
        text = (
            f"{directory}: {self.family} is not there. It needs {', '.join(file.name for file in self.files)}, in this"
            f" folder or in one called {self.folder} or {self.family} inside it, or the archive {self.archive}. "
        )
        pickled = (folder / name for folder in candidates for name in self.pickled if (folder / name).is_file())
        if found := next(pickled, None):
            return text + (
                f"{found} is of the version for Python, whose files are pickled: since reading them can run any"
                f" program, that is never done. Download the binary version, {self.mirrors[0]}{self.archive}."
            )
        return text + (
            "Name the folder that holds them,"
            f" or none (and unset {places.DIRECTORY_VARIABLE}) to download {self.mirrors[0]}{self.archive}."
        )

    def _read_folder(self, folder: Path) -> ImageDataset:
        contents = _Contents(self)
        for file in self.files:
            path = folder / file.name
            if not path.exists():
                raise DataError(f"{folder}: {file.name} is not there, while other files of {self.family} are.")
            with places.open_file(path) as stream:
                contents.add_records(file, path.stat().st_size, stream, str(path))
        for name in self.names:
            if (path := folder / name).exists():
                with places.open_file(path) as stream:
                    contents.add_names(name, stream, str(path))
        return contents.dataset(str(folder), published=False)

    def _read_archive(self, path: Path, *, published: bool) -> ImageDataset:
        """Read an archive; one that must be the published one is refused if it is another."""
        with places.open_file(path) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != self.archive_sha256:
            if other := next((each for each in _ALL if each.archive_sha256 == digest), None):
                raise DataError(f"{path}: this is {other.archive}, another dataset; fetch {self.archive}.")
            if published:
                raise DataError(
                    f"{path}: is not {self.archive} as published (SHA-256 {digest}, expected {self.archive_sha256});"
                    " fetch it anew."
                )
        contents, records = _Contents(self), {f"{self.folder}/{file.name}": file for file in self.files}
        names = {f"{self.folder}/{name}": name for name in self.names}

        def read(place: str, size: int, stream: io.BufferedIOBase) -> None:
            if file := records.get(place):
                contents.add_records(file, size, stream, f"{path}, {place}")
            else:
                contents.add_names(names[place], stream, f"{path}, {place}")

        limits = {place: file.records * self.record_bytes for place, file in records.items()}
        read_members(path, limits | dict.fromkeys(names, _LARGEST_TEXT), read)
        if missing := [place for place, file in records.items() if file.name not in contents.counts]:
            raise DataError(f"{path}: does not hold {', '.join(missing)}, so it is not {self.archive}; fetch that.")
        return contents.dataset(str(path), published=digest == self.archive_sha256)

    def _read_download(self, path: Path) -> ImageDataset:
        return self._read_archive(path, published=True)


class _Contents:
    """What was read so far of the files of a dataset, in whichever order they come."""

    def __init__(self, published: CifarDataset) -> None:
        self._of = published
        self.counts: dict[str, int] = {}
        self._others: list[str] = []
        self._images: dict[str, UInt8[np.ndarray, "n pixels"]] = {}
        self._labels: dict[str, UInt8[np.ndarray, "n labels"]] = {}
        # Training files are read to where they will lie together: memory that stays unused is never taken.
        room = np.empty((sum(file.records for file in published.training), _PIXELS), np.uint8)
        starts = np.cumsum([0, *(file.records for file in published.training)])
        self._room = {
            file.name: room[start : start + file.records]
            for file, start in zip(published.training, starts, strict=False)
        }
        self._whole = room

    def add_records(self, file: RecordFile, size: int, stream: io.BufferedIOBase, source: str) -> None:
        """Read a file of records, and check all that can be checked of it alone."""
        number = self._number(file, size, source)
        labels = np.empty((number, len(self._of.names)), np.uint8)
        images = self._room.get(file.name, np.empty((file.records, _PIXELS), np.uint8))[:number]
        digest = read_records(stream, labels, images, source)
        if digest != file.sha256:
            if other := next((name for name, sha256 in _published_files() if sha256 == digest), None):
                raise DataError(f"{source}: this is {other}; each file must be what it is called.")
            self._others.append(file.name)
        self._check_labels(labels, source)
        self.counts[file.name], self._images[file.name], self._labels[file.name] = number, images, labels

    def _number(self, file: RecordFile, size: int, source: str) -> int:
        number, rest = divmod(size, self._of.record_bytes)
        if rest or not number:
            others = {each.family for each in _ALL if size and size % each.record_bytes == 0}
            why = (
                f"its size is that of records of {' or '.join(others)}" if others else "it is cut short or another file"
            )
            raise DataError(
                f"{source}: {size:,} bytes are no whole number of records of {self._of.record_bytes:,} bytes,"
                f" as {self._of.family} has them; {why}. Fetch it anew."
            )
        if number > file.records:
            raise DataError(f"{source}: has {number:,} records, more than the {file.records:,} of {file.name}.")
        return number

    def _check_labels(self, labels: UInt8[np.ndarray, "n labels"], source: str) -> None:
        for byte, names in enumerate(self._of.names.values()):
            if len(wrong := np.flatnonzero(labels[:, byte] >= len(names))):
                raise DataError(
                    f"{source}: record {wrong[0] + 1:,} has label {labels[wrong[0], byte]}, but {self._of.family} has"
                    f" labels 0 to {len(names) - 1} there; it is damaged or another file."
                )
        if self._of.coarse is not None:
            coarse = np.array(self._of.coarse, np.uint8)[labels[:, 1]]
            if len(wrong := np.flatnonzero(coarse != labels[:, 0])):
                first, second = labels[wrong[0]]
                raise DataError(
                    f"{source}: record {wrong[0] + 1:,} has coarse label {first} and fine label {second}, which"
                    f" belongs to coarse label {coarse[wrong[0]]}; it is damaged or another file."
                )

    def add_names(self, name: str, stream: io.BufferedIOBase, source: str) -> None:
        """Read a list of names, and check that they are the published ones: labels mean nothing else."""
        text = stream.read(_LARGEST_TEXT).decode("ascii", "replace")
        found = [line.strip() for line in text.splitlines() if line.strip()]
        for number, (here, there) in enumerate(itertools.zip_longest(found, self._of.names[name], fillvalue="none"), 1):
            if here != there:
                raise DataError(f"{source}: name {number} is '{here}', but {self._of.family} has '{there}' there.")

    def dataset(self, where: str, *, published: bool) -> ImageDataset:
        """Put all files together, and check what can be checked of all."""
        complete = self._check_counts(where)
        if self._others and not published:
            note(self._note(where, complete))
        training = [file.name for file in self._of.training]
        images = self._whole if complete else np.concatenate([self._images[name] for name in training])
        return ImageDataset(
            name=self._of.name,
            train_images=torch.from_numpy(images).unflatten(1, _SHAPE),
            train_labels=self._label(training),
            test_images=torch.from_numpy(self._images[self._of.test.name]).unflatten(1, _SHAPE),
            test_labels=self._label([self._of.test.name]),
            class_names=self._of.class_names,
        )

    def _label(self, files: Iterable[str]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([self._labels[name][:, self._of.label] for name in files])).to(
            torch.int64
        )

    def _check_counts(self, where: str) -> bool:
        """Whether every file has all its records; only if none has, there may be fewer."""
        short = [file for file in self._of.files if self.counts[file.name] < file.records]
        if not short:
            for kind, files in (("training", self._of.training), ("test", (self._of.test,))):
                self._check_classes(kind, [file.name for file in files], where)
        elif len(short) < len(self._of.files):
            raise DataError(
                f"{where}: {short[0].name} has {self.counts[short[0].name]:,} records instead of"
                f" {short[0].records:,}, while other files have all of theirs; it is cut short. Fetch it anew. (A"
                " smaller dataset of the same form must have fewer records in every file.)"
            )
        return not short

    def _check_classes(self, kind: str, files: Iterable[str], where: str) -> None:
        labels = np.concatenate([self._labels[name] for name in files])
        for byte, names in enumerate(self._of.names.values()):
            counts, each = np.bincount(labels[:, byte], minlength=len(names)), len(labels) // len(names)
            if len(wrong := np.flatnonzero(counts != each)):
                raise DataError(
                    f"{where}: there are {counts[wrong[0]]:,} {kind} images of class {names[wrong[0]]!r}, but"
                    f" {self._of.family} has {each:,} of each; files are swapped or damaged."
                )

    def _note(self, where: str, complete: bool) -> str:
        if complete:
            return (
                f"{where}: not the published {self._of.family}, though of its form: the content of"
                f" {', '.join(self._others)} is another. It is used as it is."
            )
        training = sum(self.counts[file.name] for file in self._of.training)
        return (
            f"{where}: not the published {self._of.family}, but {training:,} training and"
            f" {self.counts[self._of.test.name]:,} test images in its form, instead of {len(self._whole):,} and"
            f" {self._of.test.records:,}. They are used as they are."
        )


_CIFAR_10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SUPERCLASSES = {
    "aquatic_mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large_man-made_outdoor_things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large_natural_outdoor_scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large_omnivores_and_herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium_mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect_invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small_mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles_1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles_2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}
"""Classes of CIFAR-100 by superclass. Both have their labels in the order of the alphabet."""
_COARSE_OF = {fine: number for number, classes in enumerate(_SUPERCLASSES.values()) for fine in classes}

CIFAR_10 = CifarDataset(
    name="cifar-10",
    family="cifar-10",
    folder="cifar-10-batches-bin",
    archive_sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    training=tuple(
        RecordFile(f"data_batch_{number}.bin", 10_000, sha256)
        for number, sha256 in enumerate(
            (
                "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            ),
            1,
        )
    ),
    test=RecordFile("test_batch.bin", 10_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    names={"batches.meta.txt": _CIFAR_10_CLASSES},
    label=0,
    coarse=None,
    pickled=("cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz", "data_batch_1"),
)
"""Ten kinds of animals and vehicles: A. Krizhevsky, *Learning multiple layers of features from tiny images*, 2009."""

CIFAR_100 = CifarDataset(
    name="cifar-100",
    family="cifar-100",
    folder="cifar-100-binary",
    archive_sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    training=(RecordFile("train.bin", 50_000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),),
    test=RecordFile("test.bin", 10_000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),
    names={"coarse_label_names.txt": tuple(_SUPERCLASSES), "fine_label_names.txt": tuple(sorted(_COARSE_OF))},
    label=1,
    coarse=tuple(_COARSE_OF[name] for name in sorted(_COARSE_OF)),
    pickled=("cifar-100-python/train", "cifar-100-python.tar.gz", "train"),
)
"""A hundred kinds of things, from the same collection."""

CIFAR_100_COARSE = dataclasses.replace(CIFAR_100, name="cifar-100-coarse", label=0)
"""The same images, labeled by the 20 superclasses of their classes."""

_ALL = (CIFAR_10, CIFAR_100)


def _published_files() -> Iterator[tuple[str, str]]:
    for dataset in _ALL:
        for file in dataset.files:
            yield f"{file.name} of {dataset.family}", file.sha256
