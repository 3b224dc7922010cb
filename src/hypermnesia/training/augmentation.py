"""Random crops and flips of batches of images, while a task is learned."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from hypermnesia.seeds import Seeds
from hypermnesia.settings import Settings


class Augmentation(Settings):
    """Random change of training images, drawn anew for every image of every batch.

    Example:
        >>> Augmentation(crop_border=4, flip=True).crop_border
        4
    """

    crop_border: Annotated[int, Field(ge=0, le=1000)] = 0
    """Number of zero pixels put around an image, of which then a part of its own size is cut out at random."""
    flip: bool = False
    """Whether every second image, at random, has its left and right exchanged."""

    @model_validator(mode="after")
    def _has_an_effect(self) -> Augmentation:
        if not (self.crop_border or self.flip):
            raise ValueError("changes nothing as it is: set crop_border or flip, or leave augmentation out")
        return self


def augmented(images: Float[Tensor, "n c h w"], augmentation: Augmentation, seeds: Seeds) -> Float[Tensor, "n c h w"]:
    """Return images cropped and flipped at random, in one operation on their device.

    Args:
        images: Images, each of which is changed by itself.
        augmentation: What may happen to them.
        seeds: Seeds of the choice, which is drawn on the CPU: the same on every device.

    Example:
        >>> images = torch.arange(4.0).reshape(1, 1, 1, 4)
        >>> sorted({tuple(augmented(images, Augmentation(flip=True), Seeds(i)).flatten().tolist()) for i in range(9)})
        [(0.0, 1.0, 2.0, 3.0), (3.0, 2.0, 1.0, 0.0)]
    """
    number, _, height, width = images.shape
    generator = seeds.generator()
    top, left = torch.randint(2 * augmentation.crop_border + 1, (2, number, 1), generator=generator)
    flip = torch.rand(number, 1, dtype=torch.float32, generator=generator) < (0.5 if augmentation.flip else 0.0)
    columns = torch.arange(width).expand(number, width)
    rows = (top + torch.arange(height)).to(images.device)
    columns = (left + torch.where(flip, columns.flip(1), columns)).to(images.device)
    bordered = functional.pad(images, [augmentation.crop_border] * 4)
    # By rows, then by columns: half the time of indexing by pairs of both.
    lines = bordered.gather(2, rows[:, None, :, None].expand(-1, images.shape[1], -1, bordered.shape[3]))
    changed: Tensor = lines.gather(3, columns[:, None, None, :].expand(-1, images.shape[1], height, -1))
    return changed
