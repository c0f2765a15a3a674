"""The size at which a network sees a page. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

OFFICIAL_SHORT_PX: Final = 768
EMBEDDED_SHORT_PX: Final = 640
"""The embedded network was trained at this size; chroma finer than that is drawn along the page's own lines."""

SHADE_TILE_PX: Final = 1280
"""The long side of a tile of the official shader: single pages and double spreads of usual shape are one."""


def working_size(height: int, width: int, short_px: int, stride: int) -> tuple[int, int]:
    """Height and width of a page at working size: its short side at most `short_px`, both multiples of `stride`, up.

    Source: inkn'hue's application.
    """
    scale = min(1.0, short_px / min(height, width))
    high, wide = (max(stride, -(-round(side * scale) // stride) * stride) for side in (height, width))
    return high, wide


def resize(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture (H, W) or (H, W, 3) at (height, width): by area where it shrinks, else by Lanczos.

    The original takes Lanczos both ways, which lets screentone beat against the grid where it shrinks.
    """
    if picture.shape[:2] == size:
        return picture
    shrinks = picture.shape[0] >= size[0] and picture.shape[1] >= size[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=method), dtype=np.uint8)
