"""Where the examples of an experiment come from, as settings name it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field

from hypermnesia.data.images import ImageDataset
from hypermnesia.data.labeled import LabeledData
from hypermnesia.errors import DataError, did_you_mean, shown
from hypermnesia.settings import Settings

Share: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Text: TypeAlias = Annotated[str, Field(min_length=1)]


class DataSettings(Settings, ABC):
    """Base class of the settings of data; a subclass narrows `kind` to its own name.

    Attributes:
        paths: Fields that may name files or folders.
    """

    paths: ClassVar[tuple[str, ...]] = ()
    kind: str
    """Kind of the data."""

    @abstractmethod
    def load(self, directory: Path | None) -> ImageDataset | LabeledData:
        """Read the examples.

        Args:
            directory: Where files of a published dataset are; None looks at the usual places.

        Raises:
            DataError: They are missing, damaged, or not as the settings say.
        """


class FileSettings(DataSettings):
    """Base class of the settings of somebody's own files."""

    paths = ("path", "test")
    path: Text
    """Path of the files. In a file of settings it begins where that file is, on the command line where one is."""
    test: Share | Text = 0.2
    """Test examples: the share of them, of each class, that is split off; or the path of others of the same form."""

    @property
    def name(self) -> str:
        """Name of the data, in names of tasks: that of the file or folder."""
        return Path(self.path).stem if Path(self.path).is_file() else Path(self.path).name


def existing(path: str, what: str, *, folder: bool) -> Path:
    """Return a path at which there is a folder, or a file, as wanted.

    Args:
        path: The path.
        what: What should be there, for errors.
        folder: Whether it is to be a folder.

    Raises:
        DataError: There is none.
    """
    found = Path(path)
    try:
        fine = found.is_dir() if folder else found.is_file()
        there = fine or found.exists()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise DataError(f"{shown(path)} can be no path: {error}.") from error
    if fine:
        return found
    if there:
        kind = "folder" if found.is_dir() else "file" if found.is_file() else "pipe or a device"
        raise DataError(f"{path} is a {kind}, and should be {what}.")
    beside = _beside(found)
    raise DataError(f"There is no {path}, which should be {what}.{beside}")


def _beside(path: Path) -> str:
    """What there is instead: the nearest name beside it, or up to where its path leads."""
    folder = path.parent
    if not folder.is_dir():
        return f" There is no folder {folder} either." if str(folder) != str(path) else ""
    if path.is_symlink():
        return " It is a link that leads nowhere."
    return did_you_mean(path.name, (each.name for each in folder.iterdir()))
