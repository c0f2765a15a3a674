"""The colours of regions and of the page: mean chroma, saturation, palette. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PALETTE_ROUNDS: Final = 20
PALETTE_PULL: Final = 0.5
"""How far a region's colour goes to its palette colour when it lies close by; 1 would be all the way."""
PALETTE_NEAR: Final = 8.0
"""Lab units within which a palette colour pulls: two true colours further apart are not one."""
DETAIL: Final = 0.7
"""Share of the network's shading of chroma kept inside a region; 0 paints every region in one colour."""
TRUST: Final = 0.7
"""Factor on the network's chroma: on pages that it was not taught on it is surer than it is right. Chosen on six pairs
of painted pages, where mean error and PSNR hardly differ from 0.6 to 0.7: more is better on pages like the reference,
and worse than grey on pages unlike it."""
INK_LIGHTNESS: Final = 12.0
"""L below which ink has no colour to show."""


def colour_regions(
    chroma: NDArray[np.float32],
    lightness: NDArray[np.float32],
    regions: NDArray[np.uint16],
    saturation: float,
    palette_size: int,
) -> NDArray[np.float32]:
    """Even out the network's chroma by region and draw it to the page's palette.

    Args:
        chroma: (H, W, 2) float32, the network's a and b, already muted where it is unsure; 0 where white.
        lightness: (H, W) float32, 0..100.
        regions: (H, W) uint16, 0 = line.
        saturation: factor on chroma, on top of `TRUST`.
        palette_size: number of colours of the palette.

    Returns:
        (H, W, 2) float32: a and b of the draft.

    Source: the original takes the mean colour of each region, HSV saturation × 1.2 and k-means of the page's
    colours. Ours works on chroma (lightness is the page's), keeps part of the shading inside regions, and goes to
    the palette only where it is near, since a snapped colour is a wrong one more often than not.
    """
    saturation *= TRUST
    count = int(regions.max()) + 1
    sizes = np.bincount(regions.ravel(), minlength=count)
    means = _mean_by_region(chroma, regions, sizes)
    light = np.bincount(regions.ravel(), weights=lightness.ravel(), minlength=count) / np.maximum(sizes, 1)
    scaled = means * saturation
    pulled = pull_to_palette(np.column_stack((light[1:], scaled[1:])), sizes[1:], palette_size)
    shift = np.zeros((count, 2), dtype=np.float32)
    shift[1:] = pulled[:, 1:] - scaled[1:] * DETAIL
    # Ink takes the network's own colour: it lies between regions and belongs to none.
    keep = np.full(count, saturation * DETAIL, dtype=np.float32)
    keep[0] = saturation
    return np.asarray(chroma * keep[regions][..., None] + shift[regions], dtype=np.float32)


def pull_to_palette(colours: NDArray[np.floating], weights: NDArray[np.integer], size: int) -> NDArray[np.float32]:
    """Move colours towards the nearest of a palette, made by k-means over them.

    Args:
        colours: (N, 3) Lab.
        weights: (N,) areas in pixels.
        size: number of palette colours, at least 1.

    Returns:
        (N, 3) float32 Lab.
    """
    points = colours.astype(np.float32)
    if len(points) <= size:
        return points
    centres = _find_palette(points, weights.astype(np.float64), size)
    nearest = _nearest(points, centres)
    offset = centres[nearest] - points
    pull = PALETTE_PULL * np.exp(-((offset**2).sum(axis=1) / PALETTE_NEAR**2))
    return np.asarray(points + offset * pull[:, None], dtype=np.float32)


def fade_in_ink(chroma: NDArray[np.float32], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fade chroma (H, W, 2) out where lightness (H, W) leaves no room for it, in black ink.

    White is no such place: skin on a manga page is as white as paper and still has a colour. What must stay white is
    found by `bubbles.py`.
    """
    room = np.clip(lightness / INK_LIGHTNESS, 0, 1)
    return np.asarray(chroma * room[..., None], dtype=np.float32)


def _mean_by_region(
    chroma: NDArray[np.float32], regions: NDArray[np.uint16], sizes: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Mean chroma (count, 2) of each region, without its rim, where colours of two regions mix."""
    # A thin region is all rim: it falls back on all of its pixels.
    smallest = cv2.erode(regions, np.ones((5, 5), dtype=np.uint8))
    inner = np.where(smallest == regions, regions, 0).ravel()
    inner_sizes = np.bincount(inner, minlength=len(sizes))
    means = np.empty((len(sizes), 2))
    for channel in range(2):
        values = chroma[..., channel].ravel()
        whole = np.bincount(regions.ravel(), weights=values, minlength=len(sizes)) / np.maximum(sizes, 1)
        core = np.bincount(inner, weights=values, minlength=len(sizes)) / np.maximum(inner_sizes, 1)
        means[:, channel] = np.where(inner_sizes > 0.2 * sizes, core, whole)
    return means


def _find_palette(points: NDArray[np.float32], weights: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Weighted k-means over (N, 3); starts from the heaviest and then always the colour furthest from all before."""
    centres = [points[int(np.argmax(weights))]]
    gap = np.full(len(points), np.inf)
    for _ in range(size - 1):
        gap = np.minimum(gap, ((points - centres[-1]) ** 2).sum(axis=1))
        centres.append(points[int(np.argmax(gap * weights))])
    palette = np.array(centres)
    for _ in range(PALETTE_ROUNDS):
        nearest = _nearest(points, palette)
        mass = np.bincount(nearest, weights=weights, minlength=size)
        sums = [np.bincount(nearest, weights=weights * points[:, c], minlength=size) for c in range(3)]
        moved = np.column_stack(sums) / np.maximum(mass, 1e-9)[:, None]
        palette = np.where((mass > 0)[:, None], moved, palette).astype(np.float32)
    return palette


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.intp]:
    """Index of the nearest of (K, 3) centres for each of (N, 3) points, without an (N, K, 3) array."""
    cross = points @ centres.T
    return np.asarray(np.argmin((centres**2).sum(axis=1) - 2 * cross, axis=1))
