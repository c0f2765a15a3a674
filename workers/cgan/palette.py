"""The colours of regions: robust medians, saturation, and the pull to the references' own palette. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.palette import find_nearest
from workers.cgan.regions import find_insides

PALETTE_PULL: Final = 0.5
"""How far a region's colour goes to its palette colour when it lies close by; 1 would be all the way."""
PALETTE_NEAR: Final = 8.0
"""Lab units within which a palette colour pulls: two true colours further apart are not one."""
DETAIL: Final = 0.25
"""Share of the network's shading of chroma kept inside a region; 0 paints every region in one colour."""
INK_LIGHTNESS: Final = 12.0
"""L below which ink has no colour to show."""
RIM_PX: Final = 2
"""Width of a region's rim, where the colours of two mix."""
MEDIAN_STEP: Final = 4.0
MEDIAN_RANGE: Final = 112.0
"""Medians are found on a histogram of such steps from minus to plus this, in Lab units, and placed between steps."""


def colour_regions(
    chroma: NDArray[np.float32],
    confidence: NDArray[np.float32],
    lightness: NDArray[np.float32],
    regions: NDArray[np.uint16],
    *,
    factor: float,
    palette_lab: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Even out the network's chroma by region and draw it to the references' palette.

    Args:
        chroma: (H, W, 2) float32, a and b, already muted where the network is unsure; 0 where white.
        confidence: (H, W) float32, 0..1: how much each pixel counts in its region.
        lightness: (H, W) float32, 0..100.
        regions: (H, W) uint16, 0 = line.
        factor: on chroma.
        palette_lab: (K, 3) float32 Lab, from `common.palette`.

    Returns:
        a and b of the draft, (H, W, 2) float32; and each region's confidence by id, (count,) float32, 0..1.

    Source: the original takes the mean colour of each region, HSV saturation × 1.2 and k-means of the page's own
    colours. Ours takes medians, which a neighbour's colour at the rim does not move, works on chroma (lightness is the
    page's), keeps part of the shading inside regions, and goes to the references' palette, so that a character keeps
    its colours over pages; only where it is near, since a snapped colour is a wrong one more often than not.
    """
    count = int(regions.max()) + 1
    flat = regions.ravel()
    weights = (weigh_insides(regions) * (confidence + np.float32(0.05))).ravel()
    sizes = np.maximum(np.bincount(flat, minlength=count), 1)
    medians = np.column_stack(
        [find_medians(flat, chroma[..., channel].ravel(), weights, count) for channel in range(2)]
    )
    light = np.bincount(flat, weights=lightness.ravel(), minlength=count) / sizes
    pulled = pull_to_palette(np.column_stack((light, medians)), palette_lab)
    sure = np.bincount(flat, weights=confidence.ravel(), minlength=count) / sizes
    shift = (pulled[:, 1:] - medians * DETAIL).astype(np.float32)
    coloured = np.asarray((chroma * np.float32(DETAIL) + shift[regions]) * np.float32(factor), dtype=np.float32)
    _fill_lines(coloured, regions)
    return coloured, sure.astype(np.float32)


def pull_to_palette(colours: NDArray[np.floating], palette_lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move colours (N, 3) Lab towards the nearest of a palette (K, 3), the less the further it is; (N, 3) float32."""
    points = colours.astype(np.float32)
    offset = palette_lab[find_nearest(points, palette_lab)] - points
    pull = PALETTE_PULL * np.exp(-((offset**2).sum(axis=1) / PALETTE_NEAR**2))
    return np.asarray(points + offset * pull[:, None], dtype=np.float32)


def fade_in_ink(chroma: NDArray[np.float32], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fade chroma (H, W, 2) out where lightness (H, W) leaves no room for it, in black ink.

    White is no such place: skin on a manga page is as white as paper and still has a colour. What must stay white is
    found by `bubbles.py`.
    """
    room = np.clip(lightness / INK_LIGHTNESS, 0, 1)
    return np.asarray(chroma * room[..., None], dtype=np.float32)


def weigh_insides(regions: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Weights (H, W) float32: 1 inside regions, little at their rims, where two colours mix: a thin region is rim."""
    return np.where(find_insides(regions, RIM_PX), np.float32(1), np.float32(0.02))


def find_medians(
    regions: NDArray[np.uint16], values: NDArray[np.float32], weights: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    """Weighted median of the values (N,) of each region, (count,); 0 for an id that no pixel has."""
    bins = int(2 * MEDIAN_RANGE / MEDIAN_STEP)
    index = np.clip((values + MEDIAN_RANGE) / MEDIAN_STEP, 0, bins - 1).astype(np.int64)
    histogram = np.bincount(regions.astype(np.int64) * bins + index, weights=weights, minlength=count * bins)
    histogram = histogram.reshape(count, bins)
    reached = np.cumsum(histogram, axis=1)
    half = reached[:, -1] / 2
    at = np.argmax(reached >= half[:, None], axis=1)
    rows = np.arange(count)
    within = (half - (reached[rows, at] - histogram[rows, at])) / np.maximum(histogram[rows, at], 1e-12)
    return np.where(half > 0, (at + within) * MEDIAN_STEP - MEDIAN_RANGE, 0.0)


def _fill_lines(chroma: NDArray[np.float32], regions: NDArray[np.uint16]) -> None:
    """Give the pixels of lines the colour of the nearest pixel off them, in place: ink then has no halo."""
    line = regions == 0
    if line.all() or not line.any():
        return
    _, nearest = cv2.distanceTransformWithLabels(
        line.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owner = np.empty(int(nearest.max()) + 1, dtype=np.int64)
    off = np.flatnonzero(~line.ravel())
    owner[nearest.ravel()[off]] = off
    chroma[line] = chroma.reshape(-1, 2)[owner[nearest[line]]]
