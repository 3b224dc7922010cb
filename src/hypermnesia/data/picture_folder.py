"""A folder of pictures, with a folder in it for each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from jaxtyping import UInt8
from PIL import Image
from pydantic import Field
from torch import Tensor

from hypermnesia.data.labeled import LabeledData
from hypermnesia.data.pictures import read_picture
from hypermnesia.data.source import FileSettings, existing
from hypermnesia.errors import DataError, did_you_mean, note
from hypermnesia.memory import check_room

Pixels = Annotated[int, Field(ge=1, le=10_000)]


class FolderData(FileSettings):
    """Settings of a folder of pictures, as `torchvision.datasets.ImageFolder` takes it: a folder for each class.

    Classes are called like their folders, and numbered in the order of the alphabet. Files that do not end like a
    picture are passed over.

    Example:
        >>> FolderData(kind="folder", path="pictures", size=32).shape
        (32, 32)
    """

    kind: Literal["folder"]
    size: Pixels | tuple[Pixels, Pixels] | None = None
    """Pixels that every picture is brought to: of both sides, or height and width; null for pictures of one size."""
    colors: Literal["rgb", "gray"] = "rgb"
    """What every picture is converted to."""

    @property
    def shape(self) -> tuple[int, int] | None:
        """Height and width that are asked for."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def load(self, directory: Path | None = None) -> LabeledData:
        """Read all pictures, each once."""
        folder = existing(self.path, "a folder with a folder for each class", folder=True)
        classes = _classes(folder)
        inputs, labels = self._read(folder, classes, classes)
        if isinstance(self.test, float):
            return LabeledData.divided(self.name, inputs, labels, tuple(classes), test=self.test)
        folder = existing(self.test, "a folder of test pictures", folder=True)
        tested = _classes(folder)
        for name in tested:
            if name not in classes:
                raise DataError(
                    f"{folder / name}: there is no class {name!r} among the training pictures of {self.path}."
                    f"{did_you_mean(name, classes)}"
                )
        test_inputs, test_labels = self._read(folder, tested, classes, like=inputs.shape[2:])
        return LabeledData(self.name, inputs, labels, test_inputs, test_labels, tuple(classes))

    def _read(
        self, folder: Path, names: Sequence[str], classes: Sequence[str], like: Sequence[int] | None = None
    ) -> tuple[UInt8[Tensor, "n c h w"], Tensor]:
        files = [(path, classes.index(name)) for name in names for path in _pictures(folder / name)]
        channels = 3 if self.colors == "rgb" else 1
        pictures: Tensor | None = None
        for number, (path, _) in enumerate(files):
            picture = read_picture(path, channels, self.shape)
            if pictures is None:
                height, width = like or picture.shape[1:]
                check_room(len(files) * channels * height * width, f"The {len(files):,} pictures of {folder}")
                pictures = torch.empty(len(files), channels, height, width, dtype=torch.uint8)
            if picture.shape != pictures.shape[1:]:
                own, first = ("×".join(map(str, each.shape[-2:])) for each in (picture, pictures))
                raise DataError(
                    f"{path} has {own} pixels, others have {first}: say which size all are brought to,"
                    f" as by data.size={min(pictures.shape[2:])}."
                )
            pictures[number] = picture
        assert pictures is not None
        return pictures, torch.tensor([label for _, label in files])


def _classes(folder: Path) -> list[str]:
    """Names of the folders in a folder, each the class of the pictures in it."""
    inside = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    classes = [path.name for path in inside if path.is_dir()]
    if not classes:
        raise DataError(
            f"{folder} has no folders in it: put the pictures of each class into a folder of their own, which is called"
            " like the class."
        )
    if loose := [path.name for path in inside if not path.is_dir()]:
        note(f"{folder}: {len(loose):,} files are in no folder of a class and left out, such as {loose[0]}.")
    return classes


def _pictures(folder: Path) -> list[Path]:
    """Files of pictures in a folder and in the folders in it, in the order of their names. Links to folders end it."""
    endings = Image.registered_extensions()
    found: list[Path] = []
    others: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                (found if Path(name).suffix.lower() in endings else others).append(Path(place) / name)
    if not found:
        inside = f"; {others[0].name} does not end like one" if others else ""
        raise DataError(
            f"{folder} has no pictures in it{inside}. Put some there, or take the folder away: every folder is a class."
        )
    if others:
        note(f"{folder}: {len(others):,} files do not end like pictures and are left out, such as {others[0].name}.")
    return found
