"""Soft gradients: the sky's colours, and fades that fill a panel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samples.canvas import SUPERSAMPLE, Canvas
from samples.geometry import Points, to_points
from samples.tones import Rgb

FADE_CELL_PX = 7.0


@dataclass(frozen=True)
class SkyColours:
    """Colours from the top of the sky down to the horizon, and those of its clouds."""

    stops: tuple[Rgb, ...]
    cloud: Rgb
    cloud_shade: Rgb


DAY_SKY = SkyColours(((64, 150, 226), (132, 200, 244), (226, 244, 250)), (255, 255, 255), (196, 222, 242))
DAWN_SKY = SkyColours(((96, 104, 190), (238, 146, 150), (255, 222, 160)), (255, 238, 222), (246, 184, 176))
NIGHT_SKY = SkyColours(((10, 14, 46), (26, 34, 92), (82, 84, 158)), (70, 76, 140), (44, 50, 108))


def page_outline(canvas: Canvas) -> Points:
    """The whole canvas as an outline, page pixels."""
    w, h = canvas.width_px, canvas.height_px
    return to_points([(-2, -2), (w + 2, -2), (w + 2, h + 2), (-2, h + 2)])


def _grade(share: NDArray[np.float32], stops: tuple[Rgb, ...]) -> NDArray[np.float32]:
    """Colours for shares 0..1 of the way through the stops, (..., 3)."""
    at = np.linspace(0, 1, len(stops))
    channels = [np.interp(share, at, [stop[c] for stop in stops]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def fade_down(canvas: Canvas, stops: tuple[Rgb, ...], until: float, outline: Points | None = None) -> None:
    """Fade from top to bottom.

    Args:
        canvas: what is drawn on.
        stops: colours, evenly spaced.
        until: share of the outline's height at which the last colour is reached.
        outline: page pixels; the whole canvas if not given.
    """
    area = page_outline(canvas) if outline is None else outline
    low = np.maximum(np.floor(area.min(axis=0) * SUPERSAMPLE), 0).astype(int)
    high = np.minimum(np.ceil(area.max(axis=0) * SUPERSAMPLE), canvas.size).astype(int)
    if (low >= high).any():
        return
    width, height = (high - low).tolist()
    column = _grade(np.minimum(np.arange(height, dtype=np.float32) / (height * until), 1), stops)
    rgb_map = np.repeat(column[:, None], width, axis=1)
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    canvas.fade(area, rgb_map, box, FADE_CELL_PX)


def fade_round(canvas: Canvas, centre: tuple[float, float], stops: tuple[Rgb, ...], reach: float = 0.75) -> None:
    """Fade from a centre (shares of the canvas) outwards; reach is a share of its longer side."""
    width, height = canvas.size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot(x - centre[0] * width, y - centre[1] * height) / (reach * max(width, height))
    rgb_map = _grade(np.minimum(distance, 1).astype(np.float32), stops)
    canvas.fade(page_outline(canvas), rgb_map, (0, 0, width, height), FADE_CELL_PX)
