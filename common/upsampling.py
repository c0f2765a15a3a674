"""Chroma brought from working size to the page, stopping at the page's lines. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_RANGE_SIGMA: Final = 0.15
"""Luminance difference (0..1) that counts as another surface. On pages whose true chroma went down and up again,
0.1 to 0.2 left the least error: 6 to 16% less than plain linear enlarging."""
_FLOOR: Final = 1e-3
"""Serves pixels unlike all around them, such as a line too thin for working size."""


def upsample_rows(
    chroma: NDArray[np.float32], guide: NDArray[np.float32], grey: NDArray[np.uint8], rows: slice
) -> NDArray[np.float32]:
    """Joint bilateral upsampling of some rows of a page.

    Each pixel of the page takes the mean of the 2×2 nearest pixels of working size, weighted by how near they are (as
    linear enlarging does) and how like in luminance.

    Args:
        chroma: (h, w, 2) float32.
        guide: (h, w) float32, 0..1: luminance at working size.
        grey: (H, W) uint8: luminance of the page, screentone smoothed.
        rows: of the page, with a start and a stop.

    Returns:
        (stop - start, W, 2) float32.

    Source: Kopf, Cohen, Lischinski & Uyttendaele 2007, "Joint Bilateral Upsampling", section 3.
    """
    if guide.shape == grey.shape:
        return chroma[rows]
    luminance = grey[rows].astype(np.float32) * np.float32(1 / 255)
    planes = np.dstack([guide, chroma])
    weights = np.zeros(luminance.shape, dtype=np.float32)
    totals = [np.zeros(luminance.shape, dtype=np.float32) for _ in range(2)]
    column_taps = _taps(0, grey.shape[1], grey.shape[1], guide.shape[1])
    for row_index, row_weight in _taps(rows.start, rows.start + len(luminance), grey.shape[0], guide.shape[0]):
        near_rows = planes[row_index]
        for column_index, column_weight in column_taps:
            near, *colours = cv2.split(np.take(near_rows, column_index, axis=1))
            near -= luminance
            weight = cv2.exp(cv2.multiply(near, near, scale=-0.5 / _RANGE_SIGMA**2))
            weight += np.float32(_FLOOR)
            weight *= row_weight[:, None]
            weight *= column_weight
            weights += weight
            for total, colour in zip(totals, colours, strict=True):
                cv2.accumulateProduct(colour, weight, total)
    return np.dstack([total / weights for total in totals])


def _taps(start: int, stop: int, length: int, small: int) -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """For each of 2 taps of the places start..stop of an axis: the index into the small axis, and its weight."""
    position = (np.arange(start, stop) + 0.5) * (small / length) - 0.5
    base = np.floor(position)
    return [
        (
            np.clip(base + offset, 0, small - 1).astype(np.intp),
            (1 - np.abs(position - base - offset)).astype(np.float32),
        )
        for offset in (0, 1)
    ]
