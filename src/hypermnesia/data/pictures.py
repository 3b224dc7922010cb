"""Pictures as numbers: decoded, turned upright, in the colors and in the size that are asked for."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from hypermnesia.errors import DataError
from hypermnesia.files import open_regular

_MODES = {1: "L", 3: "RGB"}


def read_picture(path: Path, channels: int, size: tuple[int, int] | None = None) -> UInt8[Tensor, "c h w"]:
    """Read a picture.

    Args:
        path: File of any format that Pillow reads; of several frames the first one counts.
        channels: 1 for gray, 3 for colors.
        size: Height and width that it is brought to, whatever its own proportions; None leaves it as it is.

    Raises:
        DataError: It is missing, no regular file, no picture, damaged, or larger than any picture should be.
    """
    try:
        with open_regular(path) as file, warnings.catch_warnings():
            # Pillow warns of what may be a small file that becomes gigabytes, and only refuses twice of it.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                upright = ImageOps.exif_transpose(image).convert(_MODES[channels])
                if size is not None and upright.size != size[::-1]:
                    upright = upright.resize(size[::-1])
                pixels = np.array(upright)
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is no picture that can be read: take it out, or save it anew.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path} has more pixels than any picture should: take it out, or make it smaller.") from error
    except OSError as error:
        why = error.strerror or error
        raise DataError(f"{path} cannot be read ({why}): take it out, or save it anew.") from error
    except (ValueError, SyntaxError, IndexError, TypeError, OverflowError) as error:  # decoders of damaged files
        raise DataError(f"{path} is a damaged picture ({error}): take it out, or save it anew.") from error
    return torch.from_numpy(pixels).reshape(*pixels.shape[:2], channels).permute(2, 0, 1)
