"""A page through the original's stage: thumbnail, lines, regions, colours, hints. Arrays in, arrays out."""

import math
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from common.hints import Hints
from common.params import JobParams
from workers.cgan.original.colours import mean_colours, reduce_palette, saturate_colours
from workers.cgan.original.hints import pick_median_hints
from workers.cgan.original.lines import find_edges
from workers.cgan.original.network import Generator
from workers.cgan.original.regions import segment_original
from workers.cgan.original.thumbnail import make_thumbnail
from workers.cgan.result import CganResult

MAX_WORK_PX: Final = 16_000_000
"""Larger pages are segmented at this size and the regions enlarged; radii and areas then count in its pixels."""
BAND_PX: Final = 1 << 20


def paint_original(page_rgb: NDArray[np.uint8], generator: Generator, params: JobParams) -> CganResult:
    """Colour a page as the original does.

    Every region gets one colour, and lines are black but for what the palette makes of it. A page of one grey alone,
    blank or solid black, stays as it is and gets no hints: the original tints it whole.

    Args:
        page_rgb: (H, W, 3) uint8, RGB; only its grey version is used.
        generator: from `train_original`, in eval mode.
        params: `trapped_ball_radii`, `saturation`, `palette_size` and `min_region_px` are used.

    Source: the original pipeline's "baseline" result and its colour hints.
    """
    height, width = page_rgb.shape[:2]
    grey = np.asarray(cv2.cvtColor(page_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    if grey.min() == grey.max():
        whole = np.ones((height, width), dtype=np.uint16)
        return CganResult(np.repeat(grey[..., None], 3, axis=2), whole, Hints(size=(width, height), hints=()))
    small = _shrink(grey)
    regions = segment_original(find_edges(small), params.trapped_ball_radii)
    colours = _colour_regions(predict_thumbnail(small, generator), regions, params)
    hints = pick_median_hints(regions, colours, (width, height), params.min_region_px)
    full = np.asarray(cv2.resize(regions, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint16)
    return CganResult(_paint_regions(full, colours), full, hints)


@torch.inference_mode()
def predict_thumbnail(grey: NDArray[np.uint8], generator: Generator) -> NDArray[np.uint8]:
    """The network's colours (128, 128, 3) uint8, RGB, for a grey page (H, W) uint8 of any shape."""
    predicted = generator(make_thumbnail(grey)[None])[0].permute(1, 2, 0)
    return np.asarray((predicted * 255).round().clamp(0, 255).numpy().astype(np.uint8))


def _colour_regions(
    thumbnail_rgb: NDArray[np.uint8], regions: NDArray[np.uint16], params: JobParams
) -> NDArray[np.uint8]:
    """(N, 3) uint8, RGB: what each region is painted in; row 0 is the line's."""
    picture = cv2.resize(thumbnail_rgb, regions.shape[::-1], interpolation=cv2.INTER_LINEAR)
    colours = saturate_colours(mean_colours(np.asarray(picture, dtype=np.uint8), regions), params.saturation)
    return reduce_palette(colours, np.bincount(regions.ravel()), params.palette_size)


def _paint_regions(regions: NDArray[np.uint16], colours_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, RGB, in bands: NumPy widens every index to eight bytes on its way."""
    draft = np.empty((*regions.shape, 3), dtype=np.uint8)
    rows = max(1, BAND_PX // regions.shape[1])
    for top in range(0, len(regions), rows):
        draft[top : top + rows] = colours_rgb[regions[top : top + rows]]
    return draft


def _shrink(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) uint8 of at most 16 megapixels; a smaller page stays as it is."""
    height, width = grey.shape
    scale = math.sqrt(MAX_WORK_PX / (height * width))
    if scale >= 1:
        return grey
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
