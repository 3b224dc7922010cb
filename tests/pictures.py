"""Tiny pictures of one's own: a folder for each class, told apart by a bright line."""

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def write_pictures(folder: Path, classes: Sequence[str], *, number: int = 12, size: int = 8, first: int = 0) -> Path:
    """Write so many pictures of each class; the line of the first class is at row `first`."""
    chance = np.random.default_rng(0)
    for row, name in enumerate(classes, first):
        (folder / name).mkdir(parents=True)
        for place in range(number):
            pixels = chance.integers(0, 60, (size, size, 3), dtype=np.uint8)
            pixels[row % size, :, row % 3] = 250
            Image.fromarray(pixels).save(folder / name / f"{place:02d}.png")
    return folder


def write_table(
    path: Path, classes: Sequence[str], sites: Sequence[str] = ("north", "south"), number: int = 60
) -> Path:
    """Write a table with a number, two measurements, a class and a site in each line."""
    chance = np.random.default_rng(0)
    lines = ["id,length,width,species,site"]
    for place in range(number):
        kind = place % len(classes)
        length, width = kind + 0.1 * chance.standard_normal(2)
        lines.append(f"{place},{length:.4f},{width:.4f},{classes[kind]},{sites[kind * len(sites) // len(classes)]}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_idx(folder: Path, beginning: str, names: tuple[str, str], labels: list[int]) -> np.ndarray:
    """Write four files in MNIST's format, images gzipped; returns the images, the same for both splits."""
    folder.mkdir(exist_ok=True)
    images = np.random.default_rng(0).integers(0, 255, (len(labels), 4, 5), dtype=np.uint8)
    for split in names:
        head = bytes([0, 0, 8, 3]) + struct.pack(">III", *images.shape)
        (folder / f"{beginning}{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
        head = bytes([0, 0, 8, 1]) + struct.pack(">I", len(labels))
        (folder / f"{beginning}{split}-labels-idx1-ubyte").write_bytes(head + bytes(labels))
    return images
