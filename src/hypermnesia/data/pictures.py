"""Pictures as numbers: decoded, turned upright, in the colors and in the size that are asked for."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from hypermnesia.errors import DataError
from hypermnesia.files import open_regular

_MODES = {1: "L", 3: "RGB"}
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by the orientation that its camera says."""
_DAMAGED = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError),
    struct.error,
)
"""What decoders raise where a file is not as it should be."""


def read_picture(path: Path, channels: int, size: tuple[int, int] | None = None) -> UInt8[Tensor, "c h w"]:
    """Read a picture.

    What is transparent shows white, and gray levels of 16 bits become those of 8.

    Args:
        path: File of any format that Pillow reads; of several frames the first one counts.
        channels: 1 for gray, 3 for colors.
        size: Height and width that it is brought to, whatever its own proportions; None leaves it as it is.

    Raises:
        DataError: It is missing, no regular file, no picture, damaged, larger than any picture should be, or its
            numbers are no gray levels.
    """
    try:
        with open_regular(path) as file, warnings.catch_warnings():
            # Pillow warns of what may be a small file that becomes gigabytes, and only refuses twice of it.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                upright = _opaque(_of_bytes(_upright(image))).convert(_MODES[channels])
                if size is not None and upright.size != size[::-1]:
                    upright = upright.resize(size[::-1])
                pixels = np.array(upright)
    except _NoLevelsError as error:
        raise DataError(f"{path} {error}: save it with gray levels of 8 or 16 bits.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is no picture that can be read: take it out, or save it anew.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path} has more pixels than any picture should: take it out, or make it smaller.") from error
    except OSError as error:
        why = error.strerror or error
        raise DataError(f"{path} cannot be read ({why}): take it out, or save it anew.") from error
    except _DAMAGED as error:
        raise DataError(f"{path} is a damaged picture ({error}): take it out, or save it anew.") from error
    return torch.from_numpy(pixels).reshape(*pixels.shape[:2], channels).permute(2, 0, 1)


class _NoLevelsError(Exception):
    """A picture's numbers mean no gray levels that could be known."""


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its camera was held; Pillow's own function also writes EXIF anew, and fails where it is odd."""
    image.load()
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, *_DAMAGED):  # its pixels are fine
        return image
    return image.transpose(_TURNED[orientation]) if orientation in _TURNED else image


def _of_bytes(image: Image.Image) -> Image.Image:
    """The picture with levels of 8 bits, from 0 to 255; Pillow cuts off what lies above."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    levels = np.asarray(image)
    if not ((levels >= 0) & (levels <= 65535) & (levels == np.round(levels))).all():
        raise _NoLevelsError(
            f"holds numbers from {levels.min():g} to {levels.max():g}, which are no whole ones from 0 to 65535"
        )
    return Image.fromarray(np.round(levels / 257).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    """The picture on white, as a page shows it; Pillow shows what the hidden colors are, often black."""
    if not image.has_transparency_data:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
