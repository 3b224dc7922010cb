"""Small CIFAR files in the published layout: made-up images that can be told apart, for what takes a real dataset."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hypermnesia.data.cifar import CIFAR_10, CifarDataset


def records(published: CifarDataset, number: int, seed: int = 0) -> np.ndarray:
    """Records of a file, the classes in turn; every class has a color of its own for each quarter of an image."""
    classes = len(list(published.names.values())[-1])
    labels = np.arange(number) % classes
    colors = np.random.default_rng(0).integers(0, 256, (classes, 3, 2, 1, 2, 1))
    noise = np.random.default_rng(seed).integers(-20, 21, (number, 3, 2, 16, 2, 16))
    pixels = (colors[labels] + noise).clip(0, 255).reshape(number, -1)
    columns = [labels] if published.coarse is None else [np.array(published.coarse)[labels], labels]
    return np.column_stack([*columns, pixels]).astype(np.uint8)


def contents(published: CifarDataset, per_file: int = 20, test: int | None = None) -> dict[str, bytes]:
    """Contents of all files by name: as many records in each, or another number of test records."""
    made = {
        file.name: records(published, per_file, seed).tobytes() for seed, file in enumerate(published.training, start=1)
    }
    made[published.test.name] = records(published, test or per_file).tobytes()
    return made | {name: ("\n".join(names) + "\n").encode() for name, names in published.names.items()}


def write_cifar(
    directory: Path, published: CifarDataset = CIFAR_10, per_file: int = 20, test: int | None = None
) -> Path:
    """Write small files into the published folder in `directory`, where `--data DIRECTORY` finds them; returns it."""
    folder = directory / published.folder
    folder.mkdir(parents=True)
    for name, content in contents(published, per_file, test).items():
        (folder / name).write_bytes(content)
    return folder


def archive(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """A .tar.gz with these files, or with other kinds of members."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), 1, mtime=0)
