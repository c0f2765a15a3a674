"""A page through the stage: chroma from the network, lines, regions, colours, hints. Arrays in, arrays out."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.hints import Hints
from common.lab import lab_to_rgb_keep_lightness, page_lightness
from common.palette import find_palette
from common.params import JobParams
from common.screentone import smooth_screentone
from workers.cgan.bubbles import cover_letters, find_white
from workers.cgan.hints import name_entries, pick_hints
from workers.cgan.lines import find_lines
from workers.cgan.model import ReferenceModel
from workers.cgan.palette import colour_regions, fade_in_ink
from workers.cgan.reading import read_page
from workers.cgan.regions import segment_regions
from workers.cgan.result import CganResult
from workers.cgan.shading import find_trust
from workers.cgan.working_size import WORK_SHORT_PX, shrink_page

BAND_PIXELS: Final = 1_000_000
BLANK_RANGE: Final = 6
"""A page whose softened grey spans no more levels (of 255) than this is blank: paper, or ink all over."""


def paint_page(page_rgb: NDArray[np.uint8], model: ReferenceModel, params: JobParams) -> CganResult:
    """Colour a page.

    Args:
        page_rgb: (H, W, 3) uint8, RGB; only its lightness is used.
        model: what the references taught.
        params: `trapped_ball_radii`, `saturation`, `palette_size` and `min_region_px` are used.

    Returns:
        A draft on the page's own lightness. A blank page stays as it is and gets no hints.
    """
    height, width = page_rgb.shape[:2]
    page_grey = np.asarray(cv2.cvtColor(page_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8).reshape(height, width)
    if _is_blank(page_grey):
        return CganResult(
            np.repeat(page_grey[..., None], 3, axis=2),
            np.ones((height, width), dtype=np.uint16),
            Hints(size=(width, height), hints=()),
        )
    grey = smooth_screentone(shrink_page(page_grey))
    light = page_lightness(np.repeat(grey[..., None], 3, axis=2))
    reading = read_page(light, model.generator)
    predicted, confidence = (
        np.asarray(cv2.resize(plane, light.shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)
        for plane in (reading.chroma, reading.confidence)
    )

    white = find_white(grey, predicted)
    covered = cover_letters(white)
    predicted[covered], confidence[covered] = 0, 1
    regions = segment_regions(find_lines(grey) & ~white, params.trapped_ball_radii, fixed=white)
    palette_lab = find_palette(model.samples, params.palette_size)
    factor = params.saturation * find_trust(model.shading)
    chroma, sure = colour_regions(predicted, confidence, light, regions, factor=factor, palette_lab=palette_lab)
    chroma[covered] = 0
    chroma = fade_in_ink(chroma, light)

    min_px = params.min_region_px * (min(grey.shape) / WORK_SHORT_PX) ** 2
    # Scanned paper is not quite white; what it stands for is.
    colours_lab = np.dstack((np.where(white, np.float32(100), light), chroma))
    hints = name_entries(pick_hints(colours_lab, regions, sure, (width, height), min_px), palette_lab)
    full = cv2.resize(regions, (width, height), interpolation=cv2.INTER_NEAREST)
    return CganResult(_lay_over(page_rgb, chroma), np.asarray(full, dtype=np.uint16).reshape(height, width), hints)


def _is_blank(grey: NDArray[np.uint8]) -> bool:
    soft = cv2.blur(grey, (3, 3))
    return int(soft.max()) - int(soft.min()) <= BLANK_RANGE


def _lay_over(page_rgb: NDArray[np.uint8], chroma: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The page (H, W, 3) in its own lightness with chroma (h, w, 2), enlarged, laid over; (H, W, 3) uint8 RGB.

    In bands of rows: at once, a page of 100 megapixels would take gigabytes.
    """
    height, width = page_rgb.shape[:2]
    rows = np.clip((np.arange(height) + 0.5) * len(chroma) / height - 0.5, 0, len(chroma) - 1)
    draft = np.empty_like(page_rgb)
    step = max(1, BAND_PIXELS // width)
    for start in range(0, height, step):
        band = slice(start, start + step)
        above = rows[band].astype(np.intp)
        share = (rows[band] - above).astype(np.float32)[:, None, None]
        first = int(above[0])
        source = chroma[first : int(above[-1]) + 2]
        wide = cv2.resize(source, (width, len(source)), interpolation=cv2.INTER_LINEAR).reshape(-1, width, 2)
        below = np.minimum(above + 1 - first, len(wide) - 1)
        ab = wide[above - first] * (1 - share) + wide[below] * share
        lightness = page_lightness(page_rgb[band])
        draft[band] = lab_to_rgb_keep_lightness(np.dstack((lightness, fade_in_ink(ab, lightness))))
    return draft
