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
    for index, start in enumerate(starts):
        weight = np.ones(WINDOW_PX, dtype=np.float32)
        if index:
            shared = int(starts[index - 1]) + WINDOW_PX - int(start)
            weight[:shared] = (np.arange(shared) + 0.5) / shared
        if index < count - 1:
            shared = int(start) + WINDOW_PX - int(starts[index + 1])
            weight[WINDOW_PX - shared :] = 1 - (np.arange(shared) + 0.5) / shared
        yield slice(int(start), int(start) + WINDOW_PX), weight
