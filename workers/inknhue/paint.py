"""The inknhue stage on arrays: page, sketch and rough colours in, aligned and final picture out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.lab import lab_to_rgb_keep_lightness, page_lightness, rgb_to_lab
from workers.inknhue.alignment import REACH_PX, align_chroma, cap_chroma, chroma_cap
from workers.inknhue.blend import blend_lab
from workers.inknhue.paper import colour_share, find_margins, paper_lightness

ASPECT_TOLERANCE: Final = 0.02
_BAND_PIXELS: Final = 2_000_000
_BAND_MARGIN_PX: Final = round(4 * REACH_PX)
"""Rows seen beyond a band, further than the alignment reaches, so that bands join without a seam."""


@dataclass(frozen=True)
class InknhueResult:
    """What the stage gives; both (H, W, 3) uint8 RGB of the page's size."""

    aligned_rgb: NDArray[np.uint8]
    final_rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class _Sheet:
    """What is known of the page as a whole before it is worked in bands; arrays are (H, W)."""

    lightness: NDArray[np.float32]
    margins: NDArray[np.bool_]
    paper_l: float
    chroma_cap: float


def paint_page(
    page_rgb: NDArray[np.uint8],
    sketch_rgb: NDArray[np.uint8],
    rough_rgb: NDArray[np.uint8],
    *,
    blend: float = 0.8,
    keep_lightness: bool = True,
) -> InknhueResult:
    """Fit rough colours to the page, blend both and keep paper and ink clean.

    Args:
        page_rgb: (H, W, 3) uint8, RGB.
        sketch_rgb: (h, w, 3) uint8, RGB, the page's lines, of the page's shape.
        rough_rgb: (h, w, 3) uint8, RGB, the page roughly coloured, of the page's shape; resized to the page.
        blend: λ, 0..1: 0 takes all chroma from the aligned picture, 1 from rough.
        keep_lightness: L of both results is the page's own; False takes the rough picture's.

    Raises:
        InputError: blend is out of range, or a picture's shape is not the page's.
    """
    if not 0 <= blend <= 1:
        raise InputError(f"blend: {blend} is not between 0 and 1")
    height, width = page_rgb.shape[:2]
    for name, picture in (("sketch", sketch_rgb), ("rough", rough_rgb)):
        _check_shape(name, picture, height, width)
    rough_rgb = _fit(rough_rgb, height, width)
    lightness = page_lightness(page_rgb)
    paper_l = paper_lightness(lightness)
    cap = chroma_cap(rgb_to_lab(rough_rgb[::4, ::4])[..., 1:])
    sheet = _Sheet(lightness, find_margins(lightness, paper_l), paper_l, cap)
    aligned_rgb, final_rgb = np.empty_like(page_rgb), np.empty_like(page_rgb)
    for rows, seen in _bands(height, width):
        inner = slice(rows.start - seen.start, rows.stop - seen.start)
        rough_lab = rgb_to_lab(rough_rgb[seen])
        aligned_lab, final_lab = _paint_band(sheet, seen, rough_lab, blend, keep_lightness)
        aligned_rgb[rows] = lab_to_rgb_keep_lightness(aligned_lab[inner])
        final_rgb[rows] = lab_to_rgb_keep_lightness(final_lab[inner])
    return InknhueResult(aligned_rgb, final_rgb)


def _paint_band(
    sheet: _Sheet, seen: slice, rough_lab: NDArray[np.float32], blend: float, keep_lightness: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """CIELAB (h, W, 3) float32 of the aligned and the final picture, for the rows seen."""
    lightness = sheet.lightness[seen]
    rough_lab[..., 1:] = cap_chroma(rough_lab[..., 1:], sheet.chroma_cap)
    chroma = align_chroma(rough_lab[..., 1:], lightness)
    aligned_lab = np.dstack([lightness if keep_lightness else rough_lab[..., 0], chroma])
    final_lab = blend_lab(aligned_lab, rough_lab, blend)
    share = colour_share(lightness, rough_lab[..., 1:], sheet.margins[seen], sheet.paper_l)
    final_lab[..., 1:] *= share[..., None]
    # Where the colour goes, the lightness that it had been given goes with it: paper is white, not grey.
    final_lab[..., 0] = lightness + share * (final_lab[..., 0] - lightness)
    return aligned_lab, final_lab


def _check_shape(name: str, picture: NDArray[np.uint8], height: int, width: int) -> None:
    expected = picture.shape[0] * width / height
    if abs(picture.shape[1] - expected) > max(ASPECT_TOLERANCE * expected, 1.0, width / height):
        raise InputError(
            f"{name}: {picture.shape[1]}×{picture.shape[0]} px is not of the page's shape ({width}×{height} px); "
            f"width / height may differ by {ASPECT_TOLERANCE:.0%}"
        )


def _fit(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = picture.shape[0] > height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), dtype=np.uint8)


def _bands(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Bands of rows that cover the page, each with the rows around it that its work has to see."""
    step = max(_BAND_MARGIN_PX, _BAND_PIXELS // width)
    for start in range(0, height, step):
        stop = min(start + step, height)
        yield slice(start, stop), slice(max(0, start - _BAND_MARGIN_PX), min(height, stop + _BAND_MARGIN_PX))
