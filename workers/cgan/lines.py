"""Lines of a page: drawn ink and the edges of grey painting. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CANNY_LOW: Final = 10
CANNY_HIGH: Final = 40
MIN_LINE_PX: Final = 20
INK_CONTRAST: Final = 40.0
"""A pixel this much darker (of 255) than its surroundings is ink, whether Canny closes around it or not."""


def find_lines(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find lines.

    Args:
        grey: (H, W) uint8, 0 = black, with screentone smoothed.

    Returns:
        (H, W) bool, True on a line; 8-connected pieces of up to 20 px are left out.

    Source: the original pipeline takes Canny 10/40 on a 3×3 Gaussian. Ours adds the dark side of a difference of
    Gaussians, so that a stroke of ink is a line in its whole width and not only along its two edges.
    """
    soft = cv2.GaussianBlur(grey, (3, 3), 0)
    edges = cv2.Canny(soft, CANNY_LOW, CANNY_HIGH) > 0
    surround = cv2.GaussianBlur(grey, (0, 0), 4.0)
    ink = surround.astype(np.float32) - soft > INK_CONTRAST
    return _drop_small(edges | ink, MIN_LINE_PX)


def _drop_small(mask: NDArray[np.bool_], max_px: int) -> NDArray[np.bool_]:
    """Remove 8-connected components of up to `max_px` pixels from (H, W) bool."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] > max_px
    keep[0] = False
    return np.asarray(keep[labels], dtype=bool)
