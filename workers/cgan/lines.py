"""Lines of a page: drawn ink and the edges of grey painting, not its shading. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SCALES_PX: Final = (0.7, 1.3)
"""Standard deviations of the inner Gaussian: strokes of about one to five pixels."""
OUTER: Final = 1.6
"""The outer Gaussian is so much wider; at this ratio their difference comes nearest to a Laplacian."""
WEAK: Final = 1.5
STRONG: Final = 3.0
"""Levels (of 255) darker than the surroundings: a weak answer is a line where it hangs on a strong one."""
MIN_LINE_PX: Final = 20


def find_lines(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find lines.

    Args:
        grey: (H, W) uint8, 0 = black, with screentone smoothed.

    Returns:
        (H, W) bool, True on a line; 8-connected pieces of up to 20 px are left out.

    Source: Marr & Hildreth 1980, "Theory of Edge Detection" (Proc. R. Soc. B 207), section 3 and appendix B, for the
    difference of Gaussians; hysteresis as in Canny 1986. The original takes Canny 10/40, which outlines strokes twice
    and cuts soft shading to pieces. Ours takes the dark side of an edge or a stroke at two scales: a stroke in its
    whole width, an edge once, and a slow shading not at all.
    """
    page = grey.astype(np.float32)
    answer = np.full(grey.shape, -np.inf, dtype=np.float32)
    for sigma in SCALES_PX:
        inner = cv2.GaussianBlur(page, (0, 0), sigma)
        np.maximum(answer, cv2.GaussianBlur(page, (0, 0), sigma * OUTER) - inner, out=answer)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((answer > WEAK).astype(np.uint8), connectivity=8)
    strong = np.zeros(len(stats), dtype=bool)
    strong[np.unique(labels[answer > STRONG])] = True
    keep = strong & (stats[:, cv2.CC_STAT_AREA] > MIN_LINE_PX)
    keep[0] = False
    return np.asarray(keep[labels], dtype=bool)
