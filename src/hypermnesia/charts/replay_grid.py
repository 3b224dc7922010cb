"""Chart of samples replayed of each task: right after it was learned, and now."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import altair
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from hypermnesia.charts.chart import chart_of
from hypermnesia.errors import ConfigurationError

_MOST_TASKS = 20
_ROW, _NARROWEST_SIDE, _WIDEST_SIDE, _LABELS = 28, 170, 330, 70  # pixels of a screen


def replay_chart(
    early: Sequence[Float[np.ndarray, "samples ..."]],
    late: Sequence[Float[np.ndarray, "samples ..."]],
    names: Sequence[str],
) -> altair.LayerChart:
    """Samples of each task's replay: on the left right after it was learned, on the right the same latents now.

    A row is a task; of more than twenty, twenty evenly chosen ones are shown, the first and the last among them.

    Args:
        early: Images of each task, `[samples, ...]`. An image is `[height, width]`, `[1, height, width]`,
            `[3, height, width]`, or a flat vector of a square one. All tasks have as many, of one shape. Black is 0 and
            white is 1 or, where values lie outside (as those of normalized images do), the least and the largest value.
        late: Images that the replay gives now, likewise.
        names: Names of the tasks.

    Raises:
        ConfigurationError: The images have another shape.
    """
    shown = np.linspace(0, len(names) - 1, min(len(names), _MOST_TASKS)).round().astype(int)
    heads = ["right after learning", f"now, after {len(names)} task{'s' if len(names) > 1 else ''}"]
    black, white = min(0, *map(np.min, [*early, *late])), max(1, *map(np.max, [*early, *late]))
    strips = [[_strip(_pixels((images[task] - black) / (white - black))) for task in shown] for images in (early, late)]
    height, length, _ = strips[0][0].shape
    side = min(max(_ROW * length / height, _NARROWEST_SIDE), _WIDEST_SIDE)
    row = side * height / length
    rows = [
        {"when": when, "task": f"{task + 1}: {names[task]}", "image": _png(strip)}
        for when, of_all in zip(heads, strips, strict=True)
        for task, strip in zip(shown, of_all, strict=True)
    ]
    # Both sides of a band are as far from the next as small images are from each other.
    chart = (
        chart_of(rows)
        .mark_image(width=altair.expr("bandwidth('x')"), height=altair.expr("bandwidth('y')"))
        .encode(
            x=altair.X(
                "when:N",
                title=None,
                sort=heads,
                scale=altair.Scale(paddingInner=0.03, paddingOuter=0),
                axis=altair.Axis(orient="top", labelAngle=0, domain=False, ticks=False, labelLimit=0),
            ),
            y=altair.Y(
                "task:N",
                title=None,
                sort=None,
                scale=altair.Scale(paddingInner=0.04, paddingOuter=0),
                axis=altair.Axis(domain=False, ticks=False, labelLimit=300),
            ),
            url="image:N",
            tooltip=[altair.Tooltip("task:N"), altair.Tooltip("when:N")],
        )
    )
    fitting = {"heightOfWidth": round(len(shown) * height / (2 * length), 4), "labels": _LABELS}
    return altair.LayerChart(layer=[chart], width=2 * side, height=len(shown) * row, usermeta=fitting)


def _strip(pixels: Float[np.ndarray, "samples h w 3"]) -> UInt8[np.ndarray, "h length 4"]:
    """The images side by side, with transparent gaps."""
    gap = max(1, pixels.shape[1] // 14)
    opaque = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1)
    apart = np.pad(opaque, ((0, 0), (0, 0), (0, gap), (0, 0)))
    samples, height, width, channels = apart.shape
    strip = apart.swapaxes(0, 1).reshape(height, samples * width, channels)[:, :-gap]
    return (255 * strip).round().astype(np.uint8)


def _png(pixels: UInt8[np.ndarray, "h w 4"]) -> str:
    """The image as a `data:` address."""
    file = io.BytesIO()
    # Viewers smooth what they enlarge, so it is as large as the sharpest of them shows it.
    times = max(1, round(2 * _ROW / pixels.shape[0]))
    larger = np.repeat(np.repeat(pixels, times, axis=0), times, axis=1)
    Image.fromarray(larger).save(file, format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _pixels(images: Float[np.ndarray, "samples ..."]) -> Float[np.ndarray, "samples height width 3"]:
    match images.shape[1:]:
        case (numbers,) if math.isqrt(numbers) ** 2 == numbers:
            images = images.reshape(len(images), math.isqrt(numbers), -1, 1)
        case (_, _):
            images = images[..., None]
        case (1 | 3, _, _):
            images = np.moveaxis(images, 1, -1)
        case shape:
            raise ConfigurationError(
                f"samples of shape {list(shape)} are no images: allowed are [height, width], [1, height, width],"
                " [3, height, width] and vectors of as many numbers as a square has"
            )
    return np.broadcast_to(images, (*images.shape[:-1], 3))
