"""Lines of a page as the original finds them: edges alone. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.cgan.regions import label_components

CANNY_LOW: Final = 10
CANNY_HIGH: Final = 40
MIN_LINE_PX: Final = 20


def find_edges(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find lines: Canny 10/40 on a 3×3 Gaussian, less the 8-connected pieces of up to 20 px.

    Args:
        grey: (H, W) uint8, 0 = black.

    Returns:
        (H, W) bool, True on a line.

    Source: the original pipeline. A stroke of ink is a line along both of its edges, and a region between them.
    """
    edges = cv2.Canny(cv2.GaussianBlur(grey, (3, 3), 0), CANNY_LOW, CANNY_HIGH) > 0
    pieces = label_components(edges, connectivity=8)
    keep = np.bincount(pieces.ravel()) > MIN_LINE_PX
    keep[0] = False
    return np.take(keep, pieces)
