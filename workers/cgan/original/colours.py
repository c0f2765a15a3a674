"""The original's colours: the mean of each region, more saturation, a palette of few. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PALETTE_ROUNDS: Final = 50
BAND_PX: Final = 1 << 20


def mean_colours(picture_rgb: NDArray[np.uint8], regions: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Mean colour of each region, rounded down as in the original; line is black.

    Args:
        picture_rgb: (H, W, 3) uint8, RGB: the network's colours at the size of `regions`.
        regions: (H, W) uint16, 0 = line, without holes in the numbering.

    Returns:
        (N, 3) uint8, RGB, one row per region id.
    """
    count = int(regions.max()) + 1
    sums = np.zeros((count, 3))
    sizes = np.zeros(count)
    rows = max(1, BAND_PX // regions.shape[1])
    for top in range(0, len(regions), rows):  # bands bound what bincount widens to eight bytes
        ids = regions[top : top + rows].ravel()
        sizes += np.bincount(ids, minlength=count)
        for channel in range(3):
            values = picture_rgb[top : top + rows, :, channel].ravel()
            sums[:, channel] += np.bincount(ids, weights=values, minlength=count)
    sums[0] = 0
    return np.floor(sums / np.maximum(sizes, 1)[:, None]).astype(np.uint8)


def saturate_colours(colours_rgb: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Multiply the HSV saturation of (N, 3) uint8 RGB, in 8 bits and rounded down as in the original."""
    hsv = cv2.cvtColor(colours_rgb[None], cv2.COLOR_RGB2HSV)
    hsv[..., 1] = np.minimum(hsv[..., 1] * factor, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0], dtype=np.uint8)


def reduce_palette(colours_rgb: NDArray[np.uint8], areas_px: NDArray[np.integer], size: int) -> NDArray[np.uint8]:
    """Move each colour to the nearest of a palette that k-means finds over the page.

    Args:
        colours_rgb: (N, 3) uint8, RGB.
        areas_px: (N,) pixels of each colour: k-means over these colours by area is k-means over the page's pixels.
        size: number of palette colours, at least 1. As few colours as that stay as they are.

    Returns:
        (N, 3) uint8, RGB.

    Source: the original runs k-means from random starts. Ours starts from the commonest colour and then always from
    the one that is worst served, by distance² × area, so that a page gives the same result twice.
    """
    colours = colours_rgb.astype(np.float64)
    centres = _start_palette(colours, areas_px, size)
    nearest = _find_nearest(colours, centres)
    for _ in range(PALETTE_ROUNDS):
        mass = np.bincount(nearest, weights=areas_px, minlength=size)
        sums = [np.bincount(nearest, weights=areas_px * colours[:, channel], minlength=size) for channel in range(3)]
        served = mass > 0
        centres[served] = np.column_stack(sums)[served] / mass[served, None]
        before, nearest = nearest, _find_nearest(colours, centres)
        if np.array_equal(before, nearest):
            break
    return np.rint(centres[nearest]).astype(np.uint8)


def _start_palette(colours: NDArray[np.float64], areas_px: NDArray[np.integer], size: int) -> NDArray[np.float64]:
    centres = [colours[np.argmax(areas_px)]]
    gaps = np.full(len(colours), np.inf)
    for _ in range(size - 1):
        gaps = np.minimum(gaps, ((colours - centres[-1]) ** 2).sum(axis=1))
        centres.append(colours[np.argmax(gaps * areas_px)])
    return np.array(centres)


def _find_nearest(colours: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of the nearest of (K, 3) centres for each of (N, 3) colours, without an (N, K, 3) array."""
    return np.argmin((centres**2).sum(axis=1) - 2 * (colours @ centres.T), axis=1)
