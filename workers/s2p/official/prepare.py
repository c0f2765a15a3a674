"""A page made ready for the official networks: even ink, the sketch, and the grey that shades the result. Pure.

Source: Style2Paints V4.5 (Zhang et al. 2018, "Two-stage Sketch Colorization", SIGGRAPH Asia); same numbers, see
tests/golden/s2p.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.s2p.official.resizing import resize_short_side, resize_to

SHORT_PX: Final = 512
TILE_PX: Final = 64
BORDER_PX: Final = 20
MADE_BORDER_PX: Final = 2 * BORDER_PX + 1
BATCH: Final = 32

Tail = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Tiles (N, h, w, 3), 0..1, to (N, 2·h + 2, 2·w + 2, 3)."""


def even_ink(page_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bring a page to a short side of 512 px, its paper to white and its ink to black.

    Args:
        page_bgr: (H, W, 3) uint8.

    Returns:
        (h, w) uint8; all 255 where the page has nothing darker than its paper.
    """
    page = np.min(resize_short_side(page_bgr, SHORT_PX), axis=2)
    light = np.float32(resize_short_side(page, 64).max())
    intensity = np.clip(light - page.astype(np.float32), 0, 255)
    strokes = intensity[intensity > 16]
    if not strokes.size:
        return np.full_like(page, 255)
    # The original sorts them all: of n in falling order, the one at n // 10.
    rank = strokes.size - 1 - int(strokes.size * 0.1)
    intensity /= np.partition(strokes, rank)[rank]
    intensity *= np.float32(0.9)
    return np.clip(np.float32(255) - intensity * np.float32(255), 0, 255).astype(np.uint8)


def draw_sketch(page: NDArray[np.uint8], tail: Tail) -> NDArray[np.uint8]:
    """Let the tail draw clean lines, tile by tile.

    Args:
        page: (h, w) uint8 of `even_ink`.
        tail: the network.

    Returns:
        (2·h, 2·w) uint8, 255 = paper.
    """
    height, width = page.shape
    padded = np.pad(page, BORDER_PX, mode="symmetric").astype(np.float32) / np.float32(255)
    sketch = np.empty((2 * height, 2 * width), dtype=np.uint8)
    for places in _tiles_by_size(height, width):
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            grey = np.stack(
                [
                    padded[top : bottom + 2 * BORDER_PX, left : right + 2 * BORDER_PX]
                    for top, bottom, left, right in batch
                ]
            )
            made = tail(np.repeat(grey[..., None], 3, axis=3))
            made = made[:, MADE_BORDER_PX:-MADE_BORDER_PX, MADE_BORDER_PX:-MADE_BORDER_PX]
            levels = np.clip(made * np.float32(255), 0, 255).astype(np.uint8)
            for tile, (top, bottom, left, right) in zip(levels, batch, strict=True):
                # The mean of three whole numbers, rounded.
                sketch[2 * top : 2 * bottom, 2 * left : 2 * right] = (tile.sum(axis=2, dtype=np.uint16) + 1) // 3
    return sketch


def _tiles_by_size(height: int, width: int) -> list[list[tuple[int, int, int, int]]]:
    """Top, bottom, left, right of all tiles; those of one size together, so that they make batches."""
    sizes: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            bottom, right = min(top + TILE_PX, height), min(left + TILE_PX, width)
            sizes.setdefault((bottom - top, right - left), []).append((top, bottom, left, right))
    return list(sizes.values())


def lift_grey(page_bgr: NDArray[np.uint8], sketch_shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The page's grey at the sketch's size, its usual tone lifted to white, its detail kept.

    Args:
        page_bgr: (H, W, 3) uint8.
        sketch_shape: (height, width).

    Returns:
        (height, width) uint8.
    """
    grey = np.asarray(cv2.cvtColor(page_bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    page = resize_to(grey, sketch_shape[1], sketch_shape[0]).astype(np.float32)
    low = cv2.GaussianBlur(page, (0, 0), 3.0)
    # A page whose median is black has no tone to lift: only the detail would be left of it.
    median = max(float(np.median(low)), 1.0)
    lifted = np.clip(low * np.float32(255 / median), 0, 255)
    return np.clip(lifted + (page - low), 0, 255).astype(np.uint8)
