"""One thing in several formats, as files side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def write_files(directory: Path, name: str, contents: Mapping[str, bytes]) -> list[Path]:
    """Write NAME.ENDING for each ending.

    Args:
        directory: Must exist.
        name: Of all of them.
        contents: By ending, without the dot.

    Returns:
        Their paths.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    from hypermnesia.training.checkpoint import write_atomically  # imports torch

    paths = [directory / f"{name}.{ending}" for ending in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        write_atomically(path, content)
    return paths
