"""The size at which pages are segmented and coloured, whatever size they come in. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

WORK_SHORT_PX: Final = 768
"""Larger pages are worked on at this short side; radii and areas of the parameters count in its pixels."""
WORK_PIXELS: Final = 8_000_000
"""Bounds the memory of long strips, whose short side is made smaller still."""


def shrink_page(page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) uint8 at the working size; a smaller page stays as it is."""
    height, width = page.shape[:2]
    scale = min(1.0, WORK_SHORT_PX / min(height, width), (WORK_PIXELS / (height * width)) ** 0.5)
    if scale == 1.0:
        return page
    # What is a few pixels thin can hardly be made thinner: its length must bear what rounding adds.
    short = max(1, round(min(height, width) * scale))
    long = max(1, min(round(max(height, width) * scale), WORK_PIXELS // short))
    size = (short, long) if width < height else (long, short)
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8).reshape(size[::-1] + page.shape[2:])
