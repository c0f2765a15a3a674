"""What the embedded network sees of a page and its hints, at working size. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FEATURES: Final = 11
CHROMA_SCALE: Final = 64.0
"""CIELAB a and b per unit of the network."""
_NEAR_PX: Final = 32.0
"""At this distance from the nearest hint, in pixels of working size, the feature of nearness is a half."""


def stack_features(
    grey: NDArray[np.uint8],
    guide: NDArray[np.float32],
    prior: NDArray[np.float32],
    hint_chroma: NDArray[np.float32],
    hint_weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Stack what the network reads.

    Args:
        grey: (H, W) uint8, the page's luminance at its own size, screentone smoothed.
        guide: (h, w) float32, 0..1, the same at working size, lines kept closed.
        prior: (h, w, 2) float32, CIELAB a and b as propagation spreads them.
        hint_chroma: (h, w, 2) float32, a and b of the hints' dots.
        hint_weight: (h, w) float32, 0 where no hint is, else how sure it is, to 1.

    Returns:
        (h, w, 11) float32: four of the page at twice the working size (its 2×2 pixels), the guide, the prior, hints'
        chroma, their weight, nearness of a hint.
    """
    height, width = guide.shape
    double = cv2.resize(grey, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
    detail = double.reshape(height, 2, width, 2).transpose(0, 2, 1, 3).reshape(height, width, 4)
    distance = cv2.distanceTransform((hint_weight == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    chroma = np.float32(1 / CHROMA_SCALE)
    return np.concatenate(
        [
            detail.astype(np.float32) / np.float32(255),
            guide[..., None],
            prior * chroma,
            hint_chroma * (hint_weight[..., None] > 0) * chroma,
            hint_weight[..., None],
            (np.float32(_NEAR_PX) / (np.float32(_NEAR_PX) + distance))[..., None],
        ],
        axis=2,
        dtype=np.float32,
    )
