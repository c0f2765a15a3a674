"""Screentone dots to the grey that they stand for. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

DOT_SIDE_SHARE: Final = 1 / 110
"""A dot is at most this share of the page's short side high and wide."""
MIN_DOT_CONTRAST: Final = 5.0
"""A dot is at least so many levels (of 255) darker or lighter than its surroundings' mean."""
NEIGHBOURS: Final = 8
"""So many dots must lie in the window around one: a lone speck, an i's dot or an eye is no screentone."""
WINDOW_IN_DOTS: Final = 2
MAX_AREA_SPREAD: Final = 0.8
"""Printed dots beside each other are of one size: the standard deviation of their areas is at most this share of their
mean. Brushwork and grain are of all sizes: of painted pages this leaves 1% to be taken for tone, instead of half."""
INK_SHARE: Final = 0.45
"""Ink is darker than this share of the mean around it; so are printed dots, which are told apart by their size."""
BLACK: Final = 40
SLICES: Final = 12
RANGE_SIGMA: Final = 14.0
"""Levels of grey that belong to one tone: neighbouring tones of a page differ by more."""
SPACE_SIGMA_IN_DOTS: Final = 0.8
"""Wide enough for the mean to run over several dots."""
ROUNDS: Final = 2
COARSE: Final = 4
"""The means are formed at this fraction of the page: they are far wider than that."""


def smooth_screentone(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace dotted areas by their local mean, tone by tone; ink and all that is not dotted stay as they are.

    Args:
        grey: (H, W) uint8, 0 = black.

    Returns:
        (H, W) uint8.

    Source: Zhang et al. 2014, "Rolling Guidance Filter" (ECCV), section 3: a mean that loses everything small, then
    rounds that win the edges of what is large back. Ours joins pixels by the slices of a bilateral grid (Chen et al.
    2007, "Real-time edge-aware image processing with the bilateral grid", section 3), leaves out ink, which is as
    small as a dot and must not tint its surroundings, and works only where dots crowd.
    """
    dot_px = max(3, round(min(grey.shape) * DOT_SIDE_SHARE))
    toned = _find_tone(grey, dot_px)
    if not toned.any():
        return grey
    page = grey.astype(np.float32)
    ink = _find_ink(page, toned, dot_px)
    weight = np.where(cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0, np.float32(0.02), np.float32(1))
    sigma = dot_px * 0.5
    guide = cv2.GaussianBlur(page * weight, (0, 0), sigma) / cv2.GaussianBlur(weight, (0, 0), sigma)
    for _ in range(ROUNDS):
        guide = _average_by_tone(page, guide, weight, dot_px * SPACE_SIGMA_IN_DOTS)
    return np.asarray(np.clip(np.where(toned & ~ink, guide, page) + 0.5, 0, 255), dtype=np.uint8)


def _find_tone(grey: NDArray[np.uint8], dot_px: int) -> NDArray[np.bool_]:
    """Where dots crowd, darker or lighter ones than the mean around them; (H, W) bool."""
    side = 2 * dot_px + 1
    mean = cv2.boxFilter(grey, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REFLECT)
    window = 2 * WINDOW_IN_DOTS * dot_px + 1
    square = np.ones((side, side), dtype=np.uint8)
    toned = np.zeros(grey.shape, dtype=np.uint8)
    for sign in (1, -1):
        blobs = (sign * (mean - grey) > MIN_DOT_CONTRAST).astype(np.uint8)
        _, _, stats, centroids = cv2.connectedComponentsWithStats(blobs, connectivity=4)
        small = (stats[:, cv2.CC_STAT_WIDTH] <= dot_px) & (stats[:, cv2.CC_STAT_HEIGHT] <= dot_px)
        small[0] = False
        xy = np.floor(centroids[small]).astype(int)
        area = stats[small, cv2.CC_STAT_AREA].astype(np.float32)
        count, total, squares = (_sum_around(grey.shape, xy, area**power, window) for power in range(3))
        # A lone glyph has few blobs around it; the window's own reach beyond the dots is taken back by the erosion.
        alike = squares * count <= (1 + MAX_AREA_SPREAD**2) * total**2
        crowded = cv2.morphologyEx(((count > NEIGHBOURS) & alike).astype(np.uint8), cv2.MORPH_CLOSE, square)
        toned |= cv2.erode(crowded, square)
    return toned > 0


def _sum_around(
    shape: tuple[int, int], xy: NDArray[np.intp], values: NDArray[np.float32], window: int
) -> NDArray[np.float32]:
    """The sum of the values of all points (N, 2) in the square window around each pixel; (H, W) float32."""
    plane = np.zeros(shape, dtype=np.float32)
    plane[xy[:, 1], xy[:, 0]] = values
    total = cv2.boxFilter(plane, -1, (window, window), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total, dtype=np.float32)


def _find_ink(page: NDArray[np.float32], toned: NDArray[np.bool_], dot_px: int) -> NDArray[np.bool_]:
    """Lines and solid blacks, (H, W) bool: what is far darker than its surroundings and no dot."""
    dark = page < INK_SHARE * cv2.GaussianBlur(page, (0, 0), dot_px * SPACE_SIGMA_IN_DOTS)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((dark & toned).astype(np.uint8), connectivity=8)
    large = (stats[:, cv2.CC_STAT_WIDTH] > dot_px) | (stats[:, cv2.CC_STAT_HEIGHT] > dot_px)
    large[0] = False
    black = (page < BLACK).astype(np.uint8)
    solid = cv2.morphologyEx(black, cv2.MORPH_OPEN, np.ones((dot_px, dot_px), dtype=np.uint8)) > 0
    return np.asarray((dark & ~toned) | large[labels] | solid, dtype=np.bool_)


def _average_by_tone(
    page: NDArray[np.float32], guide: NDArray[np.float32], weight: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """The mean of `page` around each pixel over those whose `guide` is like its own; all (H, W) float32, 0..255."""
    height, width = page.shape
    coarse = (max(1, width // COARSE), max(1, height // COARSE))
    step = 255 / (SLICES - 1)
    place = guide / np.float32(step)
    result = np.zeros_like(page)
    for k in range(SLICES):
        share = np.maximum(1 - np.abs(place - k), 0)  # of this slice in the pixel's own value
        rows = np.flatnonzero(share.any(axis=1))
        if not len(rows):
            continue
        alike = cv2.exp((guide - np.float32(k * step)) ** 2 * np.float32(-0.5 / RANGE_SIGMA**2)) * weight
        total, mass = (
            cv2.GaussianBlur(cv2.resize(plane, coarse, interpolation=cv2.INTER_AREA), (0, 0), sigma / COARSE)
            for plane in (alike * page, alike)
        )
        # Where nothing near is of this tone no pixel asks for it either.
        mean = np.asarray(total / np.maximum(mass, 1e-6), dtype=np.float32)
        result += share * cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return result
