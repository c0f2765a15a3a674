"""What hints say of places that look like theirs, near or far, lines or not. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

REACHES_PX: Final = (40.0, 100.0)
"""Standard deviations, in pixels of working size, of the two averages that the network is given."""
TONE_SIGMA: Final = 0.1
"""Difference of luminance (0..1) that makes a place another kind of place."""
_TONES: Final = 16
_CELL_PX: Final = 8
_MAX_CELLS: Final = 1024
_WIDER: Final = ((1.0, 1.0), (3.0, 1e-3), (9.0, 1e-6))
"""Reaches, as multiples, and what they count: only where no hint is near do far ones speak."""
_LAST: Final = 1e-12
"""What every hint counts everywhere, so that each place has an answer."""


def look_alike(
    luminance: NDArray[np.float32], hint_chroma: NDArray[np.float32], hint_weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`average_alike` at both of `REACHES_PX`: (h, w, 4) float32."""
    return np.concatenate(
        [average_alike(luminance, hint_chroma, hint_weight, reach_px) for reach_px in REACHES_PX], axis=2
    )


def average_alike(
    luminance: NDArray[np.float32],
    hint_chroma: NDArray[np.float32],
    hint_weight: NDArray[np.float32],
    reach_px: float,
) -> NDArray[np.float32]:
    """The mean chroma of hints, weighted by how near they are and how like in luminance.

    Propagation asks what is connected, this asks what is alike: they are wrong in different places. Its time does not
    depend on the number of hints.

    Args:
        luminance: (h, w) float32, 0..1, at working size.
        hint_chroma: (h, w, 2) float32, read where the weight is.
        hint_weight: (h, w) float32, 0 where no hint is.
        reach_px: standard deviation in space.

    Returns:
        (h, w, 2) float32, within the range of the hints' chroma; 0 without hints.

    Source: Nadaraya 1964, "On Estimating Regression", on a bilateral grid (Chen, Paris & Durand 2007, "Real-time
    edge-aware image processing with the bilateral grid", section 3).
    """
    height, width = luminance.shape
    rows, columns = np.nonzero(hint_weight)
    if not len(rows):
        return np.zeros((height, width, 2), dtype=np.float32)
    # Cells grow on strips thousands of pixels long, or the grid would grow with the square of their length.
    cell = max(_CELL_PX, -(-max(height, width) // _MAX_CELLS))
    grid = np.zeros((_TONES, -(-height // cell), -(-width // cell), 3))
    weight = hint_weight[rows, columns].astype(np.float64)
    place = luminance[rows, columns] * (_TONES - 1)
    lower = np.minimum(place.astype(int), _TONES - 2)
    values = np.column_stack([weight, weight[:, None] * hint_chroma[rows, columns]])
    for tone, share in ((lower, 1 - (place - lower)), (lower + 1, place - lower)):
        np.add.at(grid, (tone, rows // cell, columns // cell), values * share[:, None])
    grid = np.tensordot(_kernel(_TONES, TONE_SIGMA * (_TONES - 1)) + _LAST, grid, axes=1)
    grid = _blur(grid, reach_px / cell).astype(np.float32)
    total = np.zeros((height, width, 3), dtype=np.float32)
    for tone, cells in enumerate(grid):
        share = np.maximum(1 - np.abs(luminance * np.float32(_TONES - 1) - np.float32(tone)), 0)
        if share.any():
            total += share[..., None] * cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    return total[..., 1:] / total[..., :1]


def _blur(grid: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Cells (tones, n, m, 3) blurred in space at all reaches at once, and all of them a little everywhere."""
    blurred = np.broadcast_to(_LAST * grid.sum(axis=(1, 2), keepdims=True), grid.shape).copy()
    for multiple, count in _WIDER:
        rows, columns = (_kernel(side, multiple * reach) for side in grid.shape[1:3])
        blurred += count * np.einsum("ij,tjkc,lk->tilc", rows, grid, columns, optimize=True)
    return blurred


def _kernel(side: int, sigma: float) -> NDArray[np.float64]:
    """A Gaussian between all places of an axis, (side, side)."""
    steps = np.subtract.outer(np.arange(side), np.arange(side))
    return np.exp(-0.5 * (steps / sigma) ** 2)
