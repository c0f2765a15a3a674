"""The sizes that Style2Paints works at. Pure."""

import cv2
import numpy as np
from numpy.typing import NDArray


def resize_to(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize (H, W) or (H, W, C) uint8 to (height, width): by area where the short side shrinks, else by Lanczos."""
    smaller = min(width, height) < min(picture.shape[:2])
    method = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), dtype=np.uint8)


def resize_short_side(picture: NDArray[np.uint8], short_px: int) -> NDArray[np.uint8]:
    """Resize so that the short side is short_px; the other keeps the proportions, rounded down."""
    height, width = picture.shape[:2]
    if height < width:
        return resize_to(picture, max(1, int(short_px / height * width)), short_px)
    return resize_to(picture, short_px, max(1, int(short_px / width * height)))


def resize_to_blocks(picture: NDArray[np.uint8], blocks: int) -> NDArray[np.uint8]:
    """Resize so that the short side is 16·blocks and the other the multiple of 64 nearest to its proportion."""
    height, width = picture.shape[:2]
    short_px = 16 * blocks
    if height < width:
        return resize_to(picture, _to_multiple(int(short_px / height * width)), short_px)
    return resize_to(picture, short_px, _to_multiple(int(short_px / width * height)))


def _to_multiple(side_px: int) -> int:
    return side_px + 32 - (side_px + 32) % 64
