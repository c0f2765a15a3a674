"""Long pages in windows that overlap, so that time and memory grow with the page and no seam shows. Pure."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

WINDOW_PX: Final = 1024
"""The long side of a window at working size; a page of usual shape is one window."""
OVERLAP_PX: Final = 192


def cut_windows(length: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Cut an axis into windows.

    Yields:
        A window, and the weight (n,) float32 of each of its places in the result: ramps where windows overlap, so that
        weights add up to 1.
    """
    if length <= WINDOW_PX:
        yield slice(0, length), np.ones(length, dtype=np.float32)
        return
    count = -(-(length - OVERLAP_PX) // (WINDOW_PX - OVERLAP_PX))
    starts = np.linspace(0, length - WINDOW_PX, count).round().astype(int)
    # A tent over each window; where two or three overlap they share in proportion.
    tent = np.minimum(np.arange(WINDOW_PX) + 0.5, WINDOW_PX - np.arange(WINDOW_PX) - 0.5)
    tent = np.minimum(tent, OVERLAP_PX).astype(np.float32)
    total = np.zeros(length, dtype=np.float32)
    for start in starts:
        total[start : start + WINDOW_PX] += tent
    for start in starts:
        window = slice(int(start), int(start) + WINDOW_PX)
        yield window, tent / total[window]
