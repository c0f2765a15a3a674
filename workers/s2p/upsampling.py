"""Chroma brought from working size to the page, stopping at the page's lines. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_RANGE_SIGMA: Final = 0.10
"""Luminance difference (0..1) that counts as another surface."""
_SPACE_SIGMA: Final = 0.75
"""In pixels of working size."""
_STRIP_PIXELS: Final = 250_000


def upsample_chroma(
    chroma: NDArray[np.float32], guide: NDArray[np.float32], grey: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Joint bilateral upsampling.

    Each pixel of the page takes the mean of the 4×4 nearest pixels of working size, weighted by how near they are and
    how like in luminance.

    Args:
        chroma: (h, w, 2) float32.
        guide: (h, w) float32, 0..1: luminance at working size.
        grey: (H, W) uint8: luminance of the page, screentone smoothed.

    Returns:
        (H, W, 2) float32.

    Source: Kopf, Cohen, Lischinski & Uyttendaele 2007, "Joint Bilateral Upsampling", section 3.
    """
    height, width = grey.shape
    if guide.shape == grey.shape:
        return chroma
    samples = np.dstack([guide, chroma])
    page = np.empty((height, width, 2), dtype=np.float32)
    column_taps = _taps(width, guide.shape[1])
    step = max(1, _STRIP_PIXELS // width)
    row_taps = _taps(height, guide.shape[0])
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        luminance = grey[rows].astype(np.float32) / np.float32(255)
        total = np.zeros((*luminance.shape, 2), dtype=np.float32)
        weights = np.zeros(luminance.shape, dtype=np.float32)
        for row_index, row_weight in row_taps:
            for column_index, column_weight in column_taps:
                near = samples[row_index[rows, None], column_index[None, :]]
                weight = np.exp((near[..., 0] - luminance) ** 2 * np.float32(-0.5 / _RANGE_SIGMA**2))
                # The floor serves pixels unlike all around them, such as a line too thin for working size.
                weight = (weight + np.float32(1e-4)) * row_weight[rows, None] * column_weight[None, :]
                weights += weight
                total += weight[..., None] * near[..., 1:]
        page[rows] = total / weights[..., None]
    return page


def _taps(length: int, small: int) -> list[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """For each of 4 taps along an axis: the index (length,) into the small axis, and its weight (length,)."""
    position = (np.arange(length) + 0.5) * (small / length) - 0.5
    base = np.floor(position)
    taps = []
    for offset in (-1, 0, 1, 2):
        distance = position - (base + offset)
        index = np.clip(base + offset, 0, small - 1).astype(np.int32)
        taps.append((index, np.exp(-0.5 * (distance / _SPACE_SIGMA) ** 2).astype(np.float32)))
    return taps
