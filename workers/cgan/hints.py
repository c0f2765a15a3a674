"""Where to put dots of colour, so that spreading them repaints the page. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from common.hints import Hint, Hints
from common.lab import lab_to_rgb, lab_to_rgb_keep_lightness, rgb_to_lab
from common.palette import find_nearest
from workers.cgan.regions import find_insides

MAX_PAGE_HINTS: Final = 400
LEAST_USE: Final = 0.25
"""What a hint of no confidence is worth beside a sure one for a region of the same size."""


def pick_hints(
    colours_lab: NDArray[np.float32],
    regions: NDArray[np.uint16],
    confidence: NDArray[np.float32],
    page_size: tuple[int, int],
    min_region_px: float,
) -> Hints:
    """Pick a hint for every region large enough, at the point deepest inside it.

    Args:
        colours_lab: (H, W, 3) float32 Lab, what the page should look like. Black and white are colours too.
        regions: (H, W) uint16, 0 = line.
        confidence: (count,) float32, 0..1, of each region by id.
        page_size: (width, height) of the page in pixels.
        min_region_px: smaller regions get no hint, in pixels of `regions`.

    Returns:
        At most 400 hints, none on a line; the largest and surest regions first.

    Source: the original takes the median pixel of each flat-coloured area in raster order, which may lie on its rim or
    outside of it, and loses black.
    """
    sizes = np.bincount(regions.ravel())
    use = sizes * (LEAST_USE + (1 - LEAST_USE) * confidence)
    wanted = np.flatnonzero(sizes >= min_region_px)
    wanted = wanted[wanted > 0]
    wanted = wanted[np.argsort(-use[wanted], kind="stable")][:MAX_PAGE_HINTS]
    points = _deepest_points(regions, wanted)
    rgb = _mean_colours(colours_lab, regions, wanted, points)
    height, width = regions.shape
    hints = tuple(
        Hint(
            x=(float(x) + 0.5) / width,
            y=(float(y) + 0.5) / height,
            rgb=(int(colour[0]), int(colour[1]), int(colour[2])),
            region=int(region),
            source="cgan",
            confidence=round(float(confidence[region]), 3),
        )
        for (y, x), colour, region in zip(points, rgb, wanted, strict=True)
    )
    return Hints(size=page_size, hints=hints)


def name_entries(hints: Hints, palette_lab: NDArray[np.float32]) -> Hints:
    """The same hints, each with the nearest colour of the references' palette (K, 3) float32 Lab, and that palette.

    So that a colour that somebody corrects can be corrected on every page.
    """
    palette = [(int(r), int(g), int(b)) for r, g, b in lab_to_rgb(palette_lab[None])[0]]
    if not hints.hints:
        return hints.model_copy(update={"palette": tuple(palette)})
    colours = rgb_to_lab(np.array([[hint.rgb for hint in hints.hints]], dtype=np.uint8))[0]
    entries = find_nearest(colours, palette_lab)
    named = (hint.model_copy(update={"entry": int(k)}) for hint, k in zip(hints.hints, entries, strict=True))
    return hints.model_copy(update={"hints": tuple(named), "palette": tuple(palette)})


def _deepest_points(regions: NDArray[np.uint16], wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Row and column, (N, 2), of the pixel of each wanted region that lies furthest from its rim.

    The page's edge is a rim too: a hint in a corner would be the last place where anybody looks for it.
    """
    if not len(wanted):
        return np.empty((0, 2), dtype=np.intp)
    walled = np.pad(find_insides(regions).astype(np.uint8), 1)
    depth = cv2.distanceTransform(walled, cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1].ravel()
    owner = regions.ravel()
    deepest = np.zeros(int(regions.max()) + 1, dtype=np.float32)
    np.maximum.at(deepest, owner, depth)
    # Of pixels equally deep the middle one; a region that is all rim has its hint there.
    candidates = np.flatnonzero((depth == deepest[owner]) & (owner > 0))
    candidates = candidates[np.argsort(owner[candidates], kind="stable")]
    first, last = (np.searchsorted(owner[candidates], wanted, side) for side in ("left", "right"))
    rows, columns = np.divmod(candidates[(first + last) // 2], regions.shape[1])
    return np.column_stack((rows, columns))


def _mean_colours(
    colours_lab: NDArray[np.float32],
    regions: NDArray[np.uint16],
    wanted: NDArray[np.intp],
    points: NDArray[np.intp],
) -> NDArray[np.uint8]:
    """(N, 3) uint8 RGB: mean chroma of each wanted region with the lightness at its point."""
    if not len(wanted):
        return np.empty((0, 3), dtype=np.uint8)
    lab = np.empty((len(wanted), 1, 3), dtype=np.float32)
    lab[:, 0, 0] = colours_lab[points[:, 0], points[:, 1], 0]
    for channel in (1, 2):
        lab[:, 0, channel] = ndimage.mean(colours_lab[..., channel], regions, wanted)
    return lab_to_rgb_keep_lightness(lab)[:, 0]
