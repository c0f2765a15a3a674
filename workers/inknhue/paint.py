"""The inknhue stage on arrays: page and rough colours in, aligned and final picture out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import InputError
from common.lab import lab_to_rgb_keep_lightness, page_lightness, rgb_to_lab
from common.screentone import smooth_screentone
from common.upsampling import upsample_rows
from common.windows import map_bands
from workers.inknhue.aligner import AlignedPicture, Aligner
from workers.inknhue.blend import blend_lab
from workers.inknhue.colour import grey_to_lab
from workers.inknhue.paper import REACH_PX, colour_share, find_margins, paper_lightness
from workers.inknhue.working_size import resize

ASPECT_TOLERANCE: Final = 0.02
_BAND_PIXELS: Final = 1_000_000


@dataclass(frozen=True)
class AlignedPage:
    """Attributes:
    rgb: (H, W, 3) uint8, RGB, of the page's size.
    warning: for the page's record; None where all went as meant.
    """

    rgb: NDArray[np.uint8]
    warning: str | None


def align_page(
    page_rgb: NDArray[np.uint8], rough_rgb: NDArray[np.uint8], aligner: Aligner, *, keep_lightness: bool = True
) -> AlignedPage:
    """Fit rough colours to the page. The same page and rough give the same bytes.

    Args:
        page_rgb: (H, W, 3) uint8, RGB; its colours, if any, do not matter.
        rough_rgb: (h, w, 3) uint8, RGB, the page roughly coloured, of the page's shape.
        aligner: the network.
        keep_lightness: L is the page's own; False takes the network's, with the page's detail too fine for the network.

    Raises:
        InputError: rough's shape is not the page's.
        OutOfMemoryError: not even small windows fit into memory.
    """
    check_shape("rough", rough_rgb, page_rgb)
    luma = np.asarray(cv2.cvtColor(page_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    grey = map_bands(smooth_screentone, luma)
    aligned = aligner.align(luma, grey, rough_rgb)
    guide = aligned.grey.astype(np.float32) * np.float32(1 / 255)
    lightening = None if keep_lightness else _lighten(aligned, luma)
    rgb = np.empty_like(page_rgb)
    for rows, _ in _bands(*luma.shape):
        lightness = page_lightness(page_rgb[rows])
        if lightening is not None:
            lightness = np.clip(lightness + lightening[rows], 0, 100)
        chroma = upsample_rows(aligned.lab[..., 1:], guide, grey, rows)
        rgb[rows] = lab_to_rgb_keep_lightness(np.dstack([lightness, chroma]))
    return AlignedPage(rgb, aligned.warning)


def blend_page(
    page_rgb: NDArray[np.uint8],
    aligned_rgb: NDArray[np.uint8],
    rough_rgb: NDArray[np.uint8],
    *,
    blend: float = 0.8,
    keep_lightness: bool = True,
) -> NDArray[np.uint8]:
    """Blend the aligned and the rough picture, and keep bubbles, gutters and ink as they are on the page.

    Args:
        page_rgb: (H, W, 3) uint8, RGB.
        aligned_rgb: (H, W, 3) uint8, RGB, what `align_page` made.
        rough_rgb: (h, w, 3) uint8, RGB, of the page's shape; resized to the page.
        blend: λ, 0..1: 0 takes all chroma from the aligned picture, 1 from rough.
        keep_lightness: L is the page's own; False takes the aligned picture's.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: blend is out of range, or a picture's shape is not the page's.
    """
    check_blend(blend)
    check_shape("rough", rough_rgb, page_rgb)
    check_shape("aligned", aligned_rgb, page_rgb)
    height, width = page_rgb.shape[:2]
    aligned_rgb, rough_rgb = (_fit(picture, height, width) for picture in (aligned_rgb, rough_rgb))
    lightness = np.empty((height, width), dtype=np.float32)
    for rows, _ in _bands(height, width):
        lightness[rows] = page_lightness(page_rgb[rows])
    paper_l = paper_lightness(lightness)
    margins = find_margins(lightness, paper_l)
    final_rgb = np.empty_like(page_rgb)
    for rows, seen in _bands(height, width):
        inner = slice(rows.start - seen.start, rows.stop - seen.start)
        rough_lab = rgb_to_lab(rough_rgb[seen])
        share = colour_share(lightness[seen], rough_lab[..., 1:], margins[seen], paper_l)[inner]
        aligned_lab, page_l = rgb_to_lab(aligned_rgb[rows]), lightness[rows]
        if keep_lightness:
            aligned_lab[..., 0] = page_l
        lab = blend_lab(aligned_lab, rough_lab[inner], blend)
        lab[..., 1:] *= share[..., None]
        # Where the colour goes, the lightness that it had been given goes with it: paper is white, not grey.
        lab[..., 0] = page_l + share * (lab[..., 0] - page_l)
        final_rgb[rows] = lab_to_rgb_keep_lightness(lab)
    return final_rgb


def check_blend(blend: float) -> None:
    """Raises InputError where λ is out of range."""
    if not 0 <= blend <= 1:
        raise InputError(f"blend: {blend} is not between 0 and 1")


def check_shape(name: str, picture: NDArray[np.uint8], page: NDArray[np.uint8]) -> None:
    """Raises InputError where a picture is not of the page's shape, beyond what rounding to whole pixels explains."""
    height, width = page.shape[:2]
    expected = picture.shape[0] * width / height
    if abs(picture.shape[1] - expected) > max(ASPECT_TOLERANCE * expected, 1.0, width / height):
        raise InputError(
            f"{name}: {picture.shape[1]}×{picture.shape[0]} px is not of the page's shape ({width}×{height} px); "
            f"width / height may differ by {ASPECT_TOLERANCE:.0%}"
        )


def _lighten(aligned: AlignedPicture, luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """By how much the network made the page lighter, (H, W) float32.

    Added to the page it leaves lines sharp, which the network's picture enlarged would blur.
    """
    page = resize(luma, aligned.grey.shape)
    change = aligned.lab[..., 0] - grey_to_lab(page)[..., 0]
    return np.asarray(cv2.resize(change, luma.shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _fit(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = picture.shape[0] > height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), dtype=np.uint8)


def _bands(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Bands of rows that cover the page, each with the rows around it that its work has to see."""
    step = max(2 * REACH_PX, _BAND_PIXELS // width)
    for start in range(0, height, step):
        stop = min(start + step, height)
        yield slice(start, stop), slice(max(0, start - REACH_PX), min(height, stop + REACH_PX))
