"""A page through the stage: chroma from the network, lines, regions, colours, hints. Arrays in, arrays out."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.lab import lab_to_rgb, page_lightness
from common.params import JobParams
from workers.cgan.bubbles import cover_letters, find_white
from workers.cgan.hints import pick_hints
from workers.cgan.lines import find_lines
from workers.cgan.network import Generator
from workers.cgan.palette import colour_regions, fade_in_ink
from workers.cgan.reading import guide_chroma, predict_chroma
from workers.cgan.regions import segment_regions
from workers.cgan.result import CganResult
from workers.cgan.screentone import smooth_screentone

WORK_SHORT_PX: Final = 768
"""Larger pages are segmented at this short side; radii and areas of the parameters count in its pixels."""
WORK_LONG_PX: Final = 6000


def paint_page(page_rgb: NDArray[np.uint8], generator: Generator, params: JobParams) -> CganResult:
    """Colour a page.

    Args:
        page_rgb: (H, W, 3) uint8, RGB; only its lightness is used.
        generator: from `train_reference` or `load_model`, in eval mode.
        params: `trapped_ball_radii`, `saturation`, `palette_size` and `min_region_px` are used.
    """
    height, width = page_rgb.shape[:2]
    lightness = page_lightness(page_rgb)
    grey = smooth_screentone(np.asarray(cv2.cvtColor(page_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8))
    small = _shrink(grey)
    light = page_lightness(np.repeat(small[..., None], 3, axis=2))
    predicted = guide_chroma(predict_chroma(light, generator), light)

    white = find_white(small, predicted)
    predicted[cover_letters(white)] = 0
    lines = find_lines(small)
    regions = segment_regions(lines, params.trapped_ball_radii, fixed=white)
    chroma = colour_regions(predicted, light, regions, params.saturation, params.palette_size)
    chroma = fade_in_ink(chroma, light)

    hints = pick_hints(np.dstack((light, chroma)), regions, (width, height), params.min_region_px)
    draft_ab = cv2.resize(chroma, (width, height), interpolation=cv2.INTER_LINEAR)
    draft_ab = fade_in_ink(np.asarray(draft_ab, dtype=np.float32), lightness)
    full = cv2.resize(regions, (width, height), interpolation=cv2.INTER_NEAREST)
    draft = lab_to_rgb(np.dstack((lightness, draft_ab)))
    return CganResult(draft, np.asarray(full, dtype=np.uint16), hints)


def _shrink(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) uint8 at the working size; a smaller page stays as it is."""
    height, width = grey.shape
    scale = min(1.0, WORK_SHORT_PX / min(height, width), WORK_LONG_PX / max(height, width))
    if scale == 1.0:
        return grey
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
