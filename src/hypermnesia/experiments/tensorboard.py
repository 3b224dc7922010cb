"""A run's measurements for TensorBoard, where that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def open_writer(directory: Path, step: int) -> SummaryWriter | None:
    """A writer that goes on after `step`; events of later steps, left by a killed run, no longer show.

    None if TensorBoard (the extra `hypermnesia[tensorboard]`) is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(directory, purge_step=step + 1)
