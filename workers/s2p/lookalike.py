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
_WIDER: Final = ((1.0, 1.0), (3.0, 1e-3), (9.0, 1e-6), (100.0, 1e-12))
"""Reaches, as multiples, and what they count: only where no hint is near do far ones speak."""


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
    weight = hint_weight[rows, columns].astype(np.float64)
    grid = np.zeros((_TONES, -(-height // _CELL_PX), -(-width // _CELL_PX), 3))
    place = luminance[rows, columns] * (_TONES - 1)
    lower = np.minimum(place.astype(int), _TONES - 2)
    values = np.column_stack([weight, weight[:, None] * hint_chroma[rows, columns]])
    for tone, share in ((lower, 1 - (place - lower)), (lower + 1, place - lower)):
        np.add.at(grid, (tone, rows // _CELL_PX, columns // _CELL_PX), values * share[:, None])
    steps = np.subtract.outer(np.arange(_TONES), np.arange(_TONES)) / (_TONES - 1)
    grid = np.tensordot(np.exp(-0.5 * (steps / TONE_SIGMA) ** 2), grid, axes=1)
    total = np.zeros((height, width, 3))
    for tone, cells in enumerate(grid):
        share = np.maximum(1 - np.abs(luminance * np.float32(_TONES - 1) - np.float32(tone)), 0)
        if share.any():
            total += share[..., None] * cv2.resize(
                _blur(cells, reach_px), (width, height), interpolation=cv2.INTER_LINEAR
            )
    return np.asarray(total[..., 1:] / total[..., :1], dtype=np.float32)


def _blur(cells: NDArray[np.float64], reach_px: float) -> NDArray[np.float64]:
    """Cells (n, m, 3) blurred at all reaches at once."""
    blurred = np.zeros_like(cells)
    for multiple, count in _WIDER:
        sigma = multiple * reach_px / _CELL_PX
        rows, columns = (_kernel(side, sigma) for side in cells.shape[:2])
        blurred += count * np.einsum("ij,jkc,lk->ilc", rows, cells, columns, optimize=True)
    return blurred


def _kernel(side: int, sigma: float) -> NDArray[np.float64]:
    """A Gaussian between all places of an axis, (side, side)."""
    steps = np.subtract.outer(np.arange(side), np.arange(side))
    return np.exp(-0.5 * (steps / sigma) ** 2)
