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
    # What is one pixel thin cannot be made thinner: its length alone must bear it.
    width, height = (max(1, min(round(side * scale), WORK_PIXELS)) for side in (width, height))
    size = (min(width, WORK_PIXELS // height), min(height, WORK_PIXELS // width))
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8).reshape(size[::-1] + page.shape[2:])
