"""Screentone dots to the grey that they stand for. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

DOT_SIDE_SHARE: Final = 1 / 110
"""A dot is at most this share of the page's short side high and wide."""
NEIGHBOURS: Final = 9
"""So many dots must lie in the window around one: a lone speck, an i's dot or an eye is no screentone."""
WINDOW_IN_DOTS: Final = 3.0


def smooth_screentone(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace dotted areas by their local mean; all else stays as it is.

    Args:
        grey: (H, W) uint8, 0 = black.

    Returns:
        (H, W) uint8.
    """
    largest_px = max(3, round(min(grey.shape) * DOT_SIDE_SHARE))
    dark = grey < 128
    dotted, ink = _find_dots(dark, largest_px)
    dotted_light, _ = _find_dots(~dark, largest_px)
    # Where the paper shows as dots, the dark around them is one net as large as an outline, but thin: what is left
    # of it after an opening is solid ink.
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (largest_px, largest_px))
    solid = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, ball) > 0
    ink = np.where(dotted_light, solid, ink)
    dotted |= dotted_light
    if not dotted.any():
        return grey
    # The mean leaves out what is drawn in solid ink, or outlines would smear into the tone beside them.
    weight = (~ink).astype(np.float32)
    # Wide enough for the mean to run over several dots.
    sigma = largest_px * 0.6
    summed = cv2.GaussianBlur(grey.astype(np.float32) * weight, (0, 0), sigma)
    mean = summed / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
    smoothed = np.where(dotted & ~ink, mean, grey)
    return np.asarray(np.clip(smoothed + 0.5, 0, 255), dtype=np.uint8)


def _find_dots(figure: NDArray[np.bool_], largest_px: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where small blobs of (H, W) bool `figure` crowd, and where its larger shapes lie; both (H, W) bool."""
    count, labels, stats, centroids = cv2.connectedComponentsWithStats(figure.astype(np.uint8), connectivity=8)
    small = (stats[:, cv2.CC_STAT_WIDTH] <= largest_px) & (stats[:, cv2.CC_STAT_HEIGHT] <= largest_px)
    small[0] = False
    shapes = ~small
    shapes[0] = False
    if count > 1 and small.any():
        centres = np.zeros(figure.shape, dtype=np.float32)
        xy = np.floor(centroids[small]).astype(int)
        centres[xy[:, 1], xy[:, 0]] = 1
        window = int(largest_px * WINDOW_IN_DOTS) * 2 + 1
        crowd = cv2.boxFilter(centres, -1, (window, window), normalize=False)
        # A dot of the other colour between the dots is part of the tone too, so the dense area is taken, not the dots.
        crowded = crowd > NEIGHBOURS
        ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (largest_px * 2 + 1, largest_px * 2 + 1))
        dense = cv2.erode(crowded.astype(np.uint8), ball) > 0
    else:
        dense = np.zeros(figure.shape, dtype=bool)
    return dense, shapes[labels]
