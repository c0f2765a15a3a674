"""What is white and stays white: speech bubbles, captions, gutters. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

WHITE_GREY: Final = 246
"""Paper: at least this, of 255. Painted light areas lie below, and so does JPEG noise around ink."""
MIN_AREA_SHARE: Final = 1 / 4000
BORDER_CONTACT: Final = 0.04
"""A gutter runs along the page's edge for at least this share of its outline."""
TEXT_GLYPHS: Final = 5
"""So many letter-sized dark shapes inside make a bubble; a white face has fewer: eyes, brows, nose, mouth."""
CAPTION_GLYPHS: Final = 2
CAPTION_FILL: Final = 0.95
"""A narrator's box fills so much of its bounding box, as no face does: two words of touching letters are enough."""
GLYPH_SIDE_SHARES: Final = (1 / 400, 1 / 18)
MIN_SOLIDITY: Final = 0.6
PALE_CHROMA: Final = 9.0
"""Where the network itself sees hardly any colour on blank paper, in Lab units, it is taken at its word."""
BLANK_GREY: Final = 253.0
"""Blank paper, on average; a painted bright sky stays below."""


def find_white(grey: NDArray[np.uint8], chroma: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find the white areas that must not be tinted.

    White skin on a manga page is as bright as a bubble, so brightness alone does not decide: the area runs along the
    page's edge (a gutter), or it is compact and holds letters (a bubble, a caption), or the network sees no colour.

    Args:
        grey: (H, W) uint8, 0 = black.
        chroma: (H, W, 2) float32, the network's a and b.

    Returns:
        (H, W) bool: the white paper itself, without the ink on it.
    """
    bright = grey >= WHITE_GREY
    count, found, stats, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8), connectivity=4)
    labels = np.asarray(found, dtype=np.int32)
    area = stats[:, cv2.CC_STAT_AREA]
    large = area >= max(1.0, grey.size * MIN_AREA_SHARE)
    large[0] = False
    size = np.hypot(chroma[..., 0], chroma[..., 1])
    mean_size = np.bincount(labels.ravel(), weights=size.ravel(), minlength=count) / np.maximum(area, 1)
    mean_grey = np.bincount(labels.ravel(), weights=grey.ravel(), minlength=count) / np.maximum(area, 1)
    pale = (mean_size < PALE_CHROMA) & (mean_grey >= BLANK_GREY)
    white = large & (_find_gutters(labels, count) | pale)
    for component in np.flatnonzero(large & ~white):
        x, y, width, height = stats[component, :4]
        window = labels[y : y + height, x : x + width] == component
        white[component] = _holds_text(window, min(grey.shape))
    return np.asarray(white[labels], dtype=bool)


def cover_letters(white: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The white areas together with the small ink on them and the soft rim around, which are not tinted either.

    Args:
        white: (H, W) bool, from `find_white`.
    """
    short = min(white.shape)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~white).astype(np.uint8), connectivity=4)
    side_px = max(2.0, short * GLYPH_SIDE_SHARES[1])
    # Letters that touch are one wide shape.
    glyph = (stats[:, cv2.CC_STAT_WIDTH] <= 4 * side_px) & (stats[:, cv2.CC_STAT_HEIGHT] <= side_px)
    glyph[0] = False
    covered = white | glyph[labels]
    return np.asarray(cv2.dilate(covered.astype(np.uint8), np.ones((3, 3), dtype=np.uint8)) > 0, dtype=bool)


def _find_gutters(labels: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    """Which components (by id) run along the page's edge, as a (count,) bool."""
    edge = np.concatenate((labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]))
    contact = np.bincount(edge, minlength=count)
    return np.asarray(contact >= BORDER_CONTACT * max(1, len(edge)), dtype=bool)


def _holds_text(component: NDArray[np.bool_], page_short_px: int) -> bool:
    """Whether a bright component, cut to its bounding box (h, w) bool, is compact and has letters in it."""
    outline, _ = cv2.findContours(component.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull_area = cv2.contourArea(cv2.convexHull(np.concatenate(outline)))
    filled = cv2.drawContours(np.zeros(component.shape, dtype=np.uint8), outline, -1, 1, cv2.FILLED)
    if filled.sum() < MIN_SOLIDITY * hull_area:
        return False
    holes = (filled > 0) & ~component
    _, _, stats, _ = cv2.connectedComponentsWithStats(holes.astype(np.uint8), connectivity=8)
    height = stats[1:, cv2.CC_STAT_HEIGHT]
    low, high = (share * page_short_px for share in GLYPH_SIDE_SHARES)
    glyphs = int(((height >= low) & (height <= high) & (stats[1:, cv2.CC_STAT_WIDTH] <= 2 * high)).sum())
    ink = float(holes.sum()) / max(1.0, float(filled.sum()))
    needed = CAPTION_GLYPHS if filled.sum() >= CAPTION_FILL * filled.size else TEXT_GLYPHS
    return glyphs >= needed and 0.01 <= ink <= 0.5
