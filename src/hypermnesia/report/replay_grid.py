"""A picture of what is replayed of each task: then, and now."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hypermnesia.errors import ConfigurationError

_MOST_TASKS = 20
_ROW, _NARROWEST_SIDE, _HEADING, _MARGIN = 0.5, 2.0, 0.35, 0.1  # inches


def replay_figure(
    early: Sequence[Float[np.ndarray, "samples ..."]],
    late: Sequence[Float[np.ndarray, "samples ..."]],
    names: Sequence[str],
) -> Figure:
    """Samples of each task's replay: on the left right after it was learned, on the right the same latents now.

    A row is a task; of more than twenty, twenty evenly chosen ones are shown, the first and the last among them.

    Args:
        early: Images of each task, `[samples, ...]` with values in [0, 1]. An image is `[height, width]`,
            `[1, height, width]`, `[3, height, width]`, or a flat vector of a square one. All tasks have as many, of
            one shape.
        late: The same for what the replay gives now.
        names: Of the tasks.

    Raises:
        ConfigurationError: If the images have another shape.
    """
    shown = np.linspace(0, len(names) - 1, min(len(names), _MOST_TASKS)).round().astype(int)
    then, now = (_pixels(np.stack([images[task] for task in shown])) for images in (early, late))
    figure = Figure(dpi=150)
    left, right = (figure.add_axes((0, 0, 1, 1)) for _ in range(2))
    row, length = _show(left, then, "right after learning")
    _show(right, now, f"now, after {len(names)} task{'s' if len(names) > 1 else ''}")
    centers = row * np.arange(len(shown)) + (then.shape[2] - 1) / 2
    left.set_yticks(centers, [names[task] for task in shown], fontsize=9, parse_math=False)
    left.tick_params(length=0)

    # Places by hand: names and headings are whole however long, and images are equally large in all pictures.
    names_width = max(label.get_window_extent().width for label in left.get_yticklabels()) / figure.dpi
    start, side, rows = names_width + 2 * _MARGIN, max(_ROW * length / row, _NARROWEST_SIDE), _ROW * len(shown)
    width, height = start + 2 * side + 3 * _MARGIN, rows + _HEADING + _MARGIN
    figure.set_size_inches(width, height)
    for axes, x in ((left, start), (right, start + side + 2 * _MARGIN)):
        axes.set_position((x / width, _MARGIN / height, side / width, rows / height))
    return figure


def _show(axes: Axes, pixels: Float[np.ndarray, "tasks samples h w 3"], heading: str) -> tuple[int, int]:
    """Draw all images as one, a row a task, and give the height and the length of a row in pixels."""
    gap = max(1, pixels.shape[2] // 14)
    pixels = np.pad(pixels, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=1)
    tasks, samples, height, width, colors = pixels.shape
    mosaic = pixels.swapaxes(1, 2).reshape(tasks * height, samples * width, colors)
    axes.imshow(mosaic, interpolation="nearest")
    axes.set_title(heading, fontsize=10)
    axes.set_frame_on(False)
    axes.set_xticks([])
    axes.set_yticks([])
    return height, samples * width


def _pixels(images: Float[np.ndarray, "tasks samples ..."]) -> Float[np.ndarray, "tasks samples height width 3"]:
    match images.shape[2:]:
        case (numbers,) if math.isqrt(numbers) ** 2 == numbers:
            images = images.reshape(*images.shape[:2], math.isqrt(numbers), -1, 1)
        case (_, _):
            images = images[..., None]
        case (1 | 3, _, _):
            images = np.moveaxis(images, 2, -1)
        case shape:
            raise ConfigurationError(
                f"samples of shape {list(shape)} are no images: allowed are [height, width], [1, height, width],"
                " [3, height, width] and vectors of as many numbers as a square has"
            )
    return np.broadcast_to(images.clip(0, 1), (*images.shape[:-1], 3))
